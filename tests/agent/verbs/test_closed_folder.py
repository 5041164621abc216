"""Root's verbs in a folder with a docker.env that the state's owner, the service's user, may not enter."""

import os
from pathlib import Path

import pytest

from tests.agent.world import World
from tests.instance import KEY
from tests.parts import NOBODY
from tests.receiver import Deed, Peer, Receiver, Request, answer
from tests.wait import until

pytestmark = pytest.mark.needs("user")
SERVICE = NOBODY


@pytest.fixture
def closed(open_folder: Path) -> World:
    """The state is the service's; the folder, like root's home, is root's alone."""
    world = World(open_folder / "world")
    state = world.path / "state"
    state.mkdir(mode=0o750)
    os.chown(state, SERVICE, SERVICE)
    world.cwd.chmod(0o700)
    world.environ["ROLLCALL_WRITE_KEY"] = KEY
    return world


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666])
@pytest.mark.parametrize("words", [("beat",), ("wrap", "--", "true")])
def test_root_delivers_from_a_folder_that_the_service_may_not_enter(
    closed: World, words: tuple[str, ...], mode: int
) -> None:
    closed.env_file("APPSMITH_ENCRYPTION_SALT=abc\n").chmod(mode)
    with Receiver() as receiver:
        done = closed.process(*words, ROLLCALL_ENDPOINT=receiver.endpoint)
        assert (done.code, "meantime" in done.err) == (0, False)
        until(lambda: len(receiver.ids) == (1 if words == ("beat",) else 2), why="all is delivered")
        assert closed.process("flush", ROLLCALL_ENDPOINT=receiver.endpoint).code == 0
        status = closed.process("status", "--json", ROLLCALL_ENDPOINT=receiver.endpoint)
        assert (status.json["sending"], status.json["waiting"]) == (True, 0)


@pytest.mark.parametrize("edit", ["written", "replaced", "removed", "made"])
def test_an_edit_in_a_closed_folder_is_noticed_between_two_batches(closed: World, edit: str) -> None:
    file = closed.cwd / "docker.env"
    if edit != "made":
        closed.env_file("A=1\n")

    def editing() -> Deed:
        def deed(peer: Peer, request: Request) -> bool:
            if edit == "removed":
                file.unlink()
            else:
                target = file.with_suffix(".new") if edit == "replaced" else file
                target.write_text("DO_NOT_TRACK=1\n")
                target.rename(file)
            return answer(400)(peer, request)

        return deed

    for name in ("One", "Two"):
        assert closed.process("track", name, **opted_in("")).code == 0
    with Receiver(script=[editing()]) as receiver:
        done = closed.process("flush", **opted_in(receiver.endpoint))
    assert len(receiver.requests) == 1, "what was refused together is not tried one by one"
    assert (done.code, "was edited in the meantime" in done.err) == (1, True)


def opted_in(endpoint: str) -> dict[str, str]:
    return {"ROLLCALL_USAGE_TELEMETRY": "true", "ROLLCALL_ENDPOINT": endpoint}
