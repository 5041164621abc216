"""`prove`, on machines that can and that cannot, and on an agent with a leak."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.proving.room import ALL_SECONDS
from agent.proving.verdict import CANNOT, METERS, NOT_PROVEN, PROVEN
from agent.verbs.prove import GRACE
from tests import environ
from tests.agent.world import Done, World
from tests.e2e.product import environment
from tests.parts import NOBODY, find

pytestmark = [pytest.mark.needs("root", "user", "unshare", "strace", "nft"), pytest.mark.once]
AS_USER = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
NO_RIGHTS = (
    "unshare", "--user", "--map-root-user", "sh", "-c",
    'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"', "x",
    "setpriv", "--bounding-set=-all", "--inh-caps=-all",
)  # fmt: skip
"""As root in a container: no right to make a namespace of any kind."""
LEAK = """
import socket
try:
    socket.getaddrinfo("leak.example.org", 80)
except OSError:
    pass
"""
BYTES_UNSEEN = 'replace(\'"batch":[{\', \'"batch":[{"hostname":"here",\')'


SECONDS = 200.0
"""How long a proof may take on a machine that has other work, instead of a minute."""


@dataclass
class Site:
    """An installed agent that every user may run, and the folder in which prove makes what it needs."""

    path: Path

    def __post_init__(self) -> None:
        shutil.copytree(environment(), self.path / "venv", symlinks=True)
        room = self.agent / "proving/room.py"
        text = room.read_text()
        assert text.count("ALL_SECONDS = 55.0\n") == 1
        room.write_text(text.replace("ALL_SECONDS = 55.0\n", f"ALL_SECONDS = {SECONDS - GRACE}\n"))
        for name in ("home", "tmp", "tools"):
            (self.path / name).mkdir()
        (self.path / "tmp").chmod(0o777)

    @property
    def agent(self) -> Path:
        return next((self.path / "venv").glob("lib/python*/site-packages/agent"))

    def prove(self, *prefix: str, tools: tuple[str, ...] = ("strace", "nft"), **more: str) -> tuple[int, Any]:
        """The exit code, and the evidence. Of the tools only those are there."""
        for name in ("false", "sh", "setpriv", "unshare", *tools):
            link = self.path / "tools" / name
            if not link.is_symlink():
                link.symlink_to(find(name) or "")
        settings = {"PATH": str(self.path / "tools"), "TMPDIR": str(self.path / "tmp"), **more}
        done = subprocess.run(
            [*prefix, str(self.path / "venv/bin/python"), "-I", "-m", "agent", "prove", "--json"],
            env=environ.bare(self.path / "home", **settings),
            cwd=self.path, capture_output=True, text=True, timeout=SECONDS + 30, check=False,
        )  # fmt: skip
        assert done.returncode in {PROVEN, NOT_PROVEN, CANNOT}, done
        assert os.listdir(self.path / "tmp") == [], "it leaves nothing"
        assert os.listdir(self.path / "home") == []
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def site(open_folder: Path) -> Site:
    return Site(open_folder)


def totals(counts: dict[str, dict[str, int | None]]) -> dict[str, int | None]:
    """Of each meter the sum over all steps; None where it does not measure."""
    sums: dict[str, int | None] = {}
    for meter in METERS:
        column = [count[meter] for count in counts.values()]
        sums[meter] = None if None in column else sum(number or 0 for number in column)
    return sums


def proof(world: World) -> Done:
    """On a busy machine it may not end within its minute: it says so, and is asked again, twice at most."""
    tries = [world.process("prove", "--json")]
    while len(tries) < 3 and "try again on a quieter machine" in tries[-1].out:
        tries.append(world.process("prove", "--json"))
    return tries[-1]


def test_root_sees_that_off_is_silent_and_the_same_meters_move_when_loud(tmp_path: Path) -> None:
    """With a refusal, an endpoint and a key of their own, none of which comes into it."""
    world = World(tmp_path / "world")
    world.environ |= {"DO_NOT_TRACK": "1", "ROLLCALL_ENDPOINT": "https://telemetry.example.com"}
    world.environ["ROLLCALL_WRITE_KEY"] = "their-own-key"
    theirs = world.env_file("DB_PASSWORD=x\n")
    world.environ["ROLLCALL_ENV_FILE"] = str(theirs)
    done = proof(world)
    assert done.code == PROVEN, done.out + done.err
    found: Any = done.json
    assert (found["right"], found["unmeasured"]) == ("root", [])
    assert set(totals(found["silent"]).values()) == {0}
    assert all(totals(found["loud"]).values())
    for step in ("daemon", "bundle"):
        assert found["loud"][step]["packets"]
    assert {step: found["exits"][step] for step in ("bundle", "disable", "enable", "consent")} == {
        "bundle": [1, 0],
        "disable": [0, 0],
        "enable": [1, 0],
        "consent": [0, 0],
    }
    assert theirs.read_text() == "DB_PASSWORD=x\n"
    assert not found["loud"]["status"]["packets"]
    assert "their-own-key" not in done.out
    assert not os.path.exists(world.state.path)


def test_an_ordinary_user_sees_the_same_and_what_could_not_be_measured(site: Site) -> None:
    code, found = site.prove(*AS_USER, tools=())
    assert code == PROVEN, found
    assert found["right"] == "user namespace"
    unmeasured = " ".join(found["unmeasured"])
    assert "nft is not installed" in unmeasured
    assert "strace is not installed" in unmeasured
    assert "is jwcrypto installed?" in unmeasured
    loud = totals(found["loud"])
    assert loud.pop("sockets") is None
    assert all(loud.values())


@pytest.mark.parametrize(
    ("prefix", "tools"),
    [
        pytest.param((), ("strace", "nft"), id="root"),
        pytest.param((), ("nft",), id="root without strace"),
        pytest.param((), ("strace",), id="root without nft", marks=pytest.mark.slow),
        pytest.param(AS_USER, ("strace",), id="user", marks=pytest.mark.slow),
        pytest.param(AS_USER, (), id="user without strace"),
    ],
)
def test_a_name_that_is_looked_up_while_silent_is_caught(
    site: Site, prefix: tuple[str, ...], tools: tuple[str, ...]
) -> None:
    for name in ("log", "switch"):
        verb = site.agent / f"verbs/{name}.py"
        verb.write_text(verb.read_text() + LEAK)
    code, found = site.prove(*prefix, tools=tools)
    assert code == NOT_PROVEN, found
    for step in ("log", "disable", "enable", "consent"):
        caught = found["silent"][step]
        assert caught["packets"]
        assert caught["lookups"]
        assert bool(caught["sockets"]) == ("strace" in tools)
    assert not any(found["silent"]["status"].values())
    assert any("log: " in line and "look-ups" in line for line in found["says"])


def test_what_preview_does_not_show_is_caught(site: Site) -> None:
    transport = site.agent / "delivery/transport.py"
    text = transport.read_text()
    assert text.count("}}'.encode()\n") == 1
    transport.write_text(text.replace("}}'.encode()\n", f"}}}}'.{BYTES_UNSEEN}.encode()\n"))
    code, found = site.prove(tools=())
    assert (code, "Instance Active differs" in found["says"]) == (NOT_PROVEN, True), found["says"]


def test_the_proof_ends_within_a_minute() -> None:
    assert ALL_SECONDS + GRACE <= 60


def test_where_no_namespace_can_be_made_it_says_so(site: Site) -> None:
    code, found = site.prove(*NO_RIGHTS)
    assert (code, found["silent"]) == (CANNOT, {})
    assert "no network namespace of its own" in found["cannot"]
