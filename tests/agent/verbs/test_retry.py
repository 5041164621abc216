"""`flush --retry`: what waits after an install is tried for three hours, in virtual time and as a process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import cli
from agent.app import App
from agent.base.statedir import StateDir
from agent.delivery.backoff import EAGER_BACKOFF
from agent.heartbeat.answer import ChildAnswer, parse_answer
from agent.outbox.errors import OutboxError
from agent.outbox.outbox import Outbox
from agent.verbs.retry import LEAST_GAP, RETRY_SECONDS, TRY, Killed, keep_trying
from tests import environ
from tests.agent.delivery.outages import Outages, RealChildren, environment, running
from tests.agent.heartbeat.lives import EPOCH, HOUR, answered
from tests.agent.runs.texts import RUN, run_text
from tests.instance import Instance
from tests.receiver import Receiver
from tests.wait import PATIENCE, until

TWO_MINUTES = 120.0


@pytest.fixture
def receiver() -> Iterator[Outages]:
    with running() as server:
        yield server


class FailedInstall:
    """An install that failed on a machine, and the sender that follows it, on a clock of its own."""

    def __init__(self, home: Path, receiver: Outages, back_after: float) -> None:
        self.environ = environment(home, receiver)
        self.receiver = receiver
        self.time = EPOCH
        self.back_at = EPOCH + back_after
        receiver.clock = lambda: self.time
        runs = home / "state" / "runs"
        runs.mkdir(parents=True)
        text = run_text("begun", f"ended {EPOCH:.3f} 102.000 exit 3", endpoint=receiver.url)
        (runs / f"{RUN}.run").write_text(text)

    def run(self, *verb: str) -> tuple[int, str]:
        out, err = io.StringIO(), io.StringIO()
        app = App(environ=self.environ, cwd="/", root="/nowhere", now=lambda: self.time, out=out, err=err)
        self.receiver.down = self.time < self.back_at
        code = cli.run_verb(verb, app)
        return code, out.getvalue()

    def ask(self) -> ChildAnswer | None:
        return parse_answer(self.run(*TRY)[1].encode())

    def pass_time(self, seconds: float) -> None:
        self.time += seconds

    def keep_trying(self) -> None:
        keep_trying(self.ask, lambda: True, self.pass_time, lambda: self.time)


OUTAGES = [2 * HOUR, *(random.Random(seed).uniform(0, 2 * HOUR) for seed in range(12))]


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_of_two_hours_is_over_within_two_minutes_of_the_networks_return(
    outage: float, tmp_path: Path, receiver: Outages
) -> None:
    install = FailedInstall(tmp_path, receiver, outage)
    install.keep_trying()

    assert len(receiver.messages) == len(set(receiver.messages)) == 2
    assert install.time - install.back_at < TWO_MINUTES - 15, "15 s are for a try that began before"
    assert receiver.turned_away < 200


def test_it_is_over_after_three_hours_and_any_later_verb_delivers(tmp_path: Path, receiver: Outages) -> None:
    install = FailedInstall(tmp_path, receiver, 4 * HOUR)
    install.keep_trying()
    assert RETRY_SECONDS < install.time - EPOCH < RETRY_SECONDS + EAGER_BACKOFF
    assert receiver.messages == []

    install.time = EPOCH + 4 * HOUR
    assert install.run("flush")[0] == 0
    assert len(receiver.messages) == len(set(receiver.messages)) == 2


def test_it_is_over_after_three_hours_and_the_service_delivers(tmp_path: Path, receiver: Outages) -> None:
    install = FailedInstall(tmp_path, receiver, 4 * HOUR)
    install.keep_trying()
    life = RealChildren(environ=install.environ)
    life.wall_ahead = install.time - life.boot
    life.run(HOUR)
    assert receiver.messages == []
    receiver.down = False
    life.run(2 * HOUR)

    installs = [entry for entry in log(install) if str(entry["event"]["event"]).startswith("Inst")]  # type: ignore[index]
    assert {entry["state"] for entry in installs} == {"sent"}
    assert len(receiver.messages) == len(set(receiver.messages)) == 3


def test_a_disk_that_the_install_filled_is_tried_again(
    tmp_path: Path, receiver: Outages, monkeypatch: pytest.MonkeyPatch
) -> None:
    install, record = FailedInstall(tmp_path, receiver, 0), Outbox.record

    def record_if_there_is_room(outbox: Outbox, *event: Any, **more: Any) -> bool:
        if install.time < EPOCH + HOUR:
            raise OutboxError("the disk is full, so nothing can be stored")
        return record(outbox, *event, **more)

    monkeypatch.setattr(Outbox, "record", record_if_there_is_room)
    install.keep_trying()
    assert len(receiver.messages) == len(set(receiver.messages)) == 2
    assert HOUR <= install.time - EPOCH <= HOUR + EAGER_BACKOFF
    assert install.run("flush", "--report")[0] == 0


def test_a_disk_that_stays_full_is_tried_for_three_hours(
    tmp_path: Path, receiver: Outages, monkeypatch: pytest.MonkeyPatch
) -> None:
    install = FailedInstall(tmp_path, receiver, 0)

    def no_room(*_: object, **__: object) -> bool:
        raise OutboxError("the disk is full, so nothing can be stored")

    monkeypatch.setattr(Outbox, "record", no_room)
    install.keep_trying()
    assert RETRY_SECONDS < install.time - EPOCH <= RETRY_SECONDS + EAGER_BACKOFF
    assert install.run("flush", "--report") == (1, "")  # the service hears of it as of any failure
    del install.environ["ROLLCALL_ENDPOINT"]
    assert install.ask() is None, "nothing could be sent with more room either"


def log(install: FailedInstall) -> list[dict[str, object]]:
    return [json.loads(line) for line in install.run("log", "--json")[1].splitlines()]


def test_it_does_not_wait_for_what_an_earlier_failure_put_off(tmp_path: Path, receiver: Outages) -> None:
    """The operator mended the network and installs again."""
    install = FailedInstall(tmp_path, receiver, 0)
    with contextlib.closing(Outbox(StateDir(str(tmp_path / "state")))) as outbox:
        for _ in range(20):
            outbox.note_failure(receiver.url, "down", EPOCH + 5 * HOUR)
    install.keep_trying()

    assert (len(receiver.messages), install.time) == (2, EPOCH)


class Tries:
    """Answers from a list, and what was waited for."""

    def __init__(self, *answers: ChildAnswer | Killed | None, alone: bool = True) -> None:
        self.answers = list(answers)
        self.alone = alone
        self.waits: list[float] = []

    def run(self) -> list[float]:
        keep_trying(
            lambda: self.answers.pop(0), lambda: self.alone, self.waits.append, lambda: sum(self.waits)
        )
        return self.waits


def test_it_ends_at_silence() -> None:
    waiting = answered(retry_in=7.0, waiting=1)
    assert Tries(waiting, waiting._replace(sending=False)).run() == [7.0]


def test_a_receiver_that_asks_for_a_wait_gets_it() -> None:
    waiting = answered(retry_in=3000.0, waiting=1)
    assert Tries(waiting, waiting, answered()).run() == [3000.0, 3000.0]


def test_what_is_due_at_once_is_no_storm() -> None:
    assert Tries(answered(retry_in=0.0, waiting=1), answered()).run() == [LEAST_GAP]


def test_it_ends_where_its_child_cannot_answer() -> None:
    """The agent was removed, say: nothing of it stays behind."""
    assert Tries(None).run() == []
    assert Tries(answered(retry_in=7.0, waiting=1), None).run() == [7.0]


def test_a_try_that_was_killed_is_not_the_last() -> None:
    """For want of memory, say, or at its deadline, as the machine was suspended meanwhile."""
    waiting = answered(retry_in=7.0, waiting=1)
    assert Tries(Killed(), waiting, Killed(), answered()).run() == [EAGER_BACKOFF, 7.0, EAGER_BACKOFF]
    assert Tries(Killed(), alone=False).run() == []
    always = Tries(*[Killed()] * 1000).run()
    assert RETRY_SECONDS < sum(always) <= RETRY_SECONDS + EAGER_BACKOFF


def test_the_time_begins_anew_with_a_new_event() -> None:
    old, new = (
        answered(retry_in=RETRY_SECONDS / 2, waiting=1),
        answered(retry_in=RETRY_SECONDS / 2, waiting=2),
    )
    assert Tries(old, old, new, new, new, new, new).run() == [RETRY_SECONDS / 2] * 5


def test_where_another_keeps_trying_one_try_is_enough() -> None:
    assert Tries(answered(retry_in=7.0, waiting=1), alone=False).run() == []


# as a process


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance(tmp_path)


def sender(instance: Instance) -> list[str]:
    return ["flush", "--retry", "--from", str(instance.path / "cwd")]


def keeps_trying(instance: Instance, process: subprocess.Popen[str]) -> Callable[[], bool]:
    """Whether its first try failed and it holds the lock. To try the lock would be in its way."""
    descriptors, lock = Path(f"/proc/{process.pid}/fd"), os.path.realpath(instance.state.retry)

    def look() -> bool:
        if instance.trouble() is None:
            return False
        mine = [path.name for path in descriptors.iterdir() if os.path.realpath(path) == lock]
        return any("FLOCK" in (descriptors.with_name("fdinfo") / fd).read_text() for fd in mine)

    return look


def test_as_a_process_it_delivers_what_a_second_try_can(instance: Instance) -> None:
    with Receiver(script=[close_without_answer]) as sink:
        instance.endpoint = sink.endpoint
        made = instance.record(3)
        with instance.started(*sender(instance)) as process:
            assert process.wait(PATIENCE) == 0
        assert sink.ids[-3:] == made
    assert instance.waiting() == []


def close_without_answer(_peer: object, _request: object) -> bool:
    return False


ENDS = """
import sys
from agent.base.statedir import StateDir
from agent.verbs.retry import Sender
for end in ("kill -9 $$", "exit 1"):
    print(type(Sender(StateDir(sys.argv[1]), [], ["/bin/sh", "-c", end])._ask()).__name__)
"""


def test_as_a_process_it_tells_a_try_that_was_killed_from_one_that_cannot_be_made(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-c", ENDS, str(tmp_path)]
    done = subprocess.run(
        command, env=environ.covered(tmp_path), capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout == "Killed\nNoneType\n"


def test_it_dies_at_once_on_sigterm(instance: Instance) -> None:
    instance.endpoint = "http://127.0.0.1:9"
    made = instance.record(1)
    with instance.started(*sender(instance)) as process:
        until(keeps_trying(instance, process))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert instance.waiting() == made


def test_a_flag_that_is_set_meanwhile_ends_it_and_erases(instance: Instance) -> None:
    instance.endpoint = "http://127.0.0.1:9"
    instance.record(1)
    with instance.started(*sender(instance)) as process:
        until(keeps_trying(instance, process))
        instance.env_file.write_text("DO_NOT_TRACK=1\n")
        assert process.wait(PATIENCE) == 0
    assert [entry.state for entry in instance.entries()] == ["deleted"]


def test_a_second_one_leaves_the_work_to_the_first(instance: Instance) -> None:
    instance.endpoint = "http://127.0.0.1:9"
    instance.record(1)
    with instance.started(*sender(instance)) as first:
        until(keeps_trying(instance, first))
        assert instance.run(*sender(instance)).code == 0
        assert first.poll() is None
        first.send_signal(signal.SIGTERM)


def test_without_a_place_for_its_lock_it_ends(instance: Instance) -> None:
    instance.endpoint = "http://127.0.0.1:9"
    instance.record(1)
    os.mkdir(instance.state.retry)
    assert instance.run(*sender(instance)).code == 1
