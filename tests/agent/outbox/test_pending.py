"""Installs that are not in the outbox yet are shown by verbs that only read."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.base.processes import boot_id
from agent.base.statedir import StateDir
from agent.outbox import opening, outbox
from agent.outbox.pending import storage_problem
from tests import environ
from tests.agent.runs.texts import HEAD, RUN, run_text
from tests.agent.world import World, tree
from tests.instance import ID
from tests.wait import PATIENCE

PLANNED = "0b7bd0a7-6f0e-4b5f-8a44-3c9b6c9f3a01"
FAILED = ("begun", "ended 1800000002.000 102.000 exit 3")


def leave_run(world: World, *lines: str, **head: str) -> Path:
    runs = Path(world.state.runs)
    runs.mkdir(parents=True)
    path = runs / f"{RUN}.run"
    path.write_text(run_text(*lines, **head))
    return path


def logged(world: World, *options: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in world.run("log", "--json", *options).out.splitlines()]


def test_log_and_status_show_a_run_that_no_verb_took_in(world: World) -> None:
    leave_run(world, *FAILED, endpoint="https://a.example")
    world.environ["ROLLCALL_ENDPOINT"] = "https://b.example"
    before = tree(world.path)
    shown = logged(world)

    assert [entry["state"] for entry in shown] == ["waiting"] * 2
    assert [entry["endpoint"] for entry in shown] == ["https://a.example"] * 2
    assert [entry["event"]["messageId"] for entry in shown] == [HEAD["started-id"], HEAD["ended-id"]]  # type: ignore[index]
    assert all("anonymousId" not in entry["event"] for entry in shown)  # type: ignore[operator]
    assert world.run("status", "--json").json["waiting"] == 2
    assert "2, of which 2 for another endpoint" in world.run("status").out
    assert [len(logged(world, "-n", count)) for count in ("0", "1", "9")] == [0, 1, 2]
    assert tree(world.path) == before, "nothing was written"


HERE = "4dd12a12f8c24b1ea3ac7d4d4c6c3a5e"


@pytest.mark.parametrize(
    "known", ["", "{", {"instanceId": ID, "machine": None}, {"instanceId": ID, "machine": "x"}]
)
@pytest.mark.parametrize("verb", ["flush --budget 0", "beat", "track Filled"])
def test_what_is_shown_is_what_is_recorded_later(world: World, known: object, verb: str) -> None:
    head = {"boot": boot_id(), "new-instance": PLANNED}
    leave_run(world, *FAILED, "email 1800000003.000 me@example.org", **head)
    (world.root / "etc/machine-id").write_text(f"{HERE}\n")
    world.environ |= {"ROLLCALL_USAGE_TELEMETRY": "true"}
    if known:
        Path(world.state.id).write_text(known if isinstance(known, str) else json.dumps(known))
    before = logged(world)
    world.run(*verb.split())

    own = isinstance(known, dict) and known["machine"] is None
    assert [entry["event"]["anonymousId"] for entry in before] == [ID if own else PLANNED] * 3  # type: ignore[index]
    assert logged(world)[:3] == before
    assert {entry["event"]["anonymousId"] for entry in logged(world)} == {ID if own else PLANNED}  # type: ignore[index]


def test_log_shows_a_first_install_under_way_as_it_is_sent_later(world: World) -> None:
    agent = (sys.executable, "-I", "-m", "agent")
    during = world.process("wrap", "--no-input", "--", *agent, "log", "--json").out.splitlines()
    world.process("flush", "--budget", "0")
    after = world.process("log", "--json").out.splitlines()

    assert [json.loads(line)["event"]["event"] for line in during] == ["Installation Started"]
    assert after[0] == during[0]
    assert [json.loads(line)["event"]["event"] for line in after] == [
        "Installation Started",
        "Installation Success",
    ]


def test_of_several_runs_the_first_says_which_id_there_will_be(world: World) -> None:
    first = leave_run(world, *FAILED, **{"boot": boot_id(), "new-instance": PLANNED})
    second = run_text(*FAILED, **{"boot": boot_id(), "new-instance": ID, "time": "1800000001.000"})
    first.with_name(f"{ID}.run").write_text(second)
    before = logged(world)
    assert {entry["event"]["anonymousId"] for entry in before} == {PLANNED}  # type: ignore[index]
    world.run("flush", "--budget", "0")
    assert {entry["event"]["anonymousId"] for entry in logged(world)} == {PLANNED}  # type: ignore[index]


def test_a_run_on_a_copied_disk_gives_no_machine_its_id(world: World) -> None:
    leave_run(world, *FAILED, **{"new-instance": PLANNED})
    world.run("flush", "--budget", "0")
    assert world.run("status", "--json").json["instanceId"] not in (None, PLANNED)


def test_a_run_under_way_is_shown_once_however_far_it_was_taken_in(world: World) -> None:
    with open(leave_run(world, "begun"), "rb") as wrapper:
        fcntl.flock(wrapper, fcntl.LOCK_EX)
        assert [entry["event"]["event"] for entry in logged(world)] == ["Installation Started"]  # type: ignore[index]
        world.run("flush", "--budget", "0")
        assert [entry["event"]["event"] for entry in logged(world)] == ["Installation Started"]  # type: ignore[index]


@pytest.mark.parametrize("made", [False, True])
@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("verb", ["log", "status"])
def test_a_run_that_is_taken_in_while_a_verb_reads_is_shown_once(
    world: World, monkeypatch: pytest.MonkeyPatch, verb: str, step: int, made: bool
) -> None:
    """The sender that an install left behind may do so at any moment."""
    leave_run(world, *FAILED)
    if made:
        with closing(outbox.Outbox(world.state)):
            pass
    opens, asks, steps = opening.read_only, opening.all_rows, itertools.count()

    def meanwhile() -> None:
        if next(steps) == step:
            world.run("flush", "--budget", "0")

    @contextmanager
    def opened(state: StateDir) -> Iterator[sqlite3.Connection | None]:
        with opens(state) as db:
            meanwhile()
            yield db

    def asked(db: sqlite3.Connection, query: str, values: Sequence[object]) -> list[Any]:
        meanwhile()
        return asks(db, query, values)

    monkeypatch.setattr(opening, "LOCK_WAIT", 0)
    monkeypatch.setattr(outbox, "read_only", opened)
    monkeypatch.setattr(outbox, "all_rows", asked)
    if verb == "log":
        shown = [entry["event"]["messageId"] for entry in logged(world)]  # type: ignore[index]
        assert shown == [HEAD["started-id"], HEAD["ended-id"]]
    else:
        assert world.run("status", "--json").json["waiting"] == 2


def test_a_damaged_outbox_hides_no_run_from_status(world: World) -> None:
    leave_run(world, *FAILED)
    Path(world.state.outbox).write_bytes(b"no database at all")
    shown = world.run("status", "--json").json
    assert (shown["waiting"], "damaged" in str(shown["lastError"])) == (2, True)


def test_nothing_hinders_on_a_sound_disk_or_in_no_place_at_all(tmp_path: Path) -> None:
    assert storage_problem(StateDir(str(tmp_path))) is None
    assert storage_problem(StateDir(str(tmp_path / "none"))) is None


FIVE_WRAPS = """
mount -t tmpfs -o size=32k none "$0" && cd /
for run in 1 2 3 4 5; do "$@" wrap --no-input -- true; done
"$@" status --json && "$@" log --json
"""


@pytest.mark.needs("root", "unshare")
def test_five_wraps_on_a_disk_that_takes_no_database_are_waiting_and_the_error_is_shown(
    tmp_path: Path,
) -> None:
    (tmp_path / "state").mkdir()
    agent = [sys.executable, "-I", "-m", "agent"]
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
         "sh", "-c", FIVE_WRAPS, str(tmp_path / "state"), *agent],
        env=environ.bare(tmp_path, ROLLCALL_STATE_DIR=str(tmp_path / "state")),
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    status, *entries = map(json.loads, done.stdout.splitlines())

    assert status["waiting"] == len(entries) > 0, done.stderr
    assert status["lastError"] == "the disk is full, so nothing can be stored"
    assert {entry["state"] for entry in entries} == {"waiting"}


READ_ONLY = """
from agent.base.statedir import StateDir
from agent.outbox.pending import storage_problem
print(storage_problem(StateDir(".")))
"""


@pytest.mark.needs("root", "unshare")
def test_a_read_only_disk_is_called_so(tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o ro none "$0" && cd "$0" && "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, str(tmp_path), sys.executable, "-I", "-c", READ_ONLY],
        env=environ.covered(tmp_path), capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.stdout == "the disk is read-only, so nothing can be stored\n", done.stderr


def test_a_link_or_a_pipe_among_the_runs_is_no_run(world: World) -> None:
    path = leave_run(world, *FAILED)
    path.rename(world.path / "elsewhere")
    path.symlink_to(world.path / "elsewhere")
    os.mkfifo(path.with_name("pipe.run"))
    path.with_name("other.run").write_text("something else\n")
    assert logged(world) == []
