"""Run files in, events out: whatever is in the file."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.base.statedir import StateDir
from agent.events import catalogue
from agent.events.facts import System
from agent.events.shown import NEWEST
from agent.outbox import collect
from agent.outbox.outbox import Outbox, read_outbox
from agent.runs.parse import parse_run
from tests.agent.runs.texts import RUN, run_text
from tests.agent.world import World

SYSTEM = System("debian", "12")


def told(*lines: str, live: bool = False) -> list[tuple[str, dict[str, object]]]:
    run = parse_run(run_text(*lines))
    assert run is not None
    return [(name, properties) for name, properties, _, _ in collect.events_of(run, SYSTEM, live=live)]


def end(*lines: str) -> dict[str, object]:
    (_, _), (_, properties) = told("begun", *lines)
    return properties


def test_a_run_that_never_began_tells_nothing() -> None:
    assert told() == []


def test_a_live_run_tells_its_start_alone() -> None:
    assert told("begun", live=True) == [(catalogue.STARTED, {"os": "debian"})]


def test_a_dead_run_without_an_end_was_interrupted() -> None:
    assert end() == {"os": "debian", "durationSeconds": 0, "reason": "interrupted"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("exit 0", {}),
        ("exit 3", {"reason": "exit", "exitCode": 3}),
        ("not-started 127", {"reason": "not-started", "exitCode": 127}),
        ("signal 15", {"reason": "signal", "exitCode": 143, "signal": "SIGTERM"}),
        ("signal 35", {"reason": "signal", "exitCode": 163, "signal": "SIG35"}),
    ],
)
def test_an_end_is_told_as_it_was(line: str, expected: dict[str, object]) -> None:
    found = end(f"ended 1800000002.400 102.400 {line}")
    assert found == {"os": "debian", "durationSeconds": 2, **expected}


def test_a_clock_that_went_back_makes_no_negative_duration() -> None:
    assert end("ended 1.000 1.000 exit 0")["durationSeconds"] == 0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("failed 7 grep install.sh", {"line": 7, "command": "grep", "script": "install.sh"}),
        ("failed - grep -", {"command": "grep"}),
        ("failed 7 - a b.sh", {"line": 7, "script": "a b.sh"}),
        ("failed 7", {"line": 7}),
        ("failed - curl -\ncommand-exit 22", {"command": "curl", "commandExitCode": 22}),
        ("failed 7 - -\ncommand-exit 22", {"line": 7}),
        ("failed - curl -\ncommand-exit x", {"command": "curl"}),
        ("failed -7 rm;ls ../x/y", {}),
        ("failed ٣ x" + "x" * 64 + " -", {}),
    ],
)
def test_a_place_holds_only_what_the_catalogue_knows(line: str, expected: dict[str, object]) -> None:
    found = end(line, "ended 1800000002.000 102.000 exit 3")
    assert {
        key: found[key] for key in ("line", "command", "commandExitCode", "script") if key in found
    } == expected


def test_an_address_is_told_with_the_reference() -> None:
    lines = ["begun", "ended 1800000002.000 102.000 exit 3", "email 1800000003.000 me@example.org"]
    assert told(*lines)[2] == (
        catalogue.SUPPORT,
        {"os": "debian", "email": "me@example.org", "reference": RUN[:8]},
    )
    assert len(told(*lines[:2], "email soon me@example.org")) == 2


line = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        run_text("begun", "ended 1 2 exit 0", "failed 1 a b", "email 1 a@b.c").encode().split(b"\n")
    ),
    st.sampled_from([b"ended nan 1 exit 1", b"email inf a@b.c", b"failed " + b"9" * 5000, b"time 1e999"]),
)


@given(st.lists(line, max_size=20), st.booleans())
def test_no_bytes_make_an_event_outside_the_catalogue(lines: list[bytes], headed: bool) -> None:
    data = (run_text().encode() if headed else b"") + b"\n".join(lines)
    run = parse_run(data.decode("utf-8", "replace"))
    if run is None:
        return
    origin = catalogue.Origin(RUN, run.product, run.version, SYSTEM, NEWEST)
    for live in (True, False):
        for name, properties, message_id, at in collect.events_of(run, SYSTEM, live=live):
            with contextlib.suppress(catalogue.NotInCatalogue):
                made = catalogue.build(
                    name, properties, origin,
                    message_id=message_id, timestamp=at, installation=run.id,
                )  # fmt: skip
                assert made["event"] in (
                    catalogue.STARTED,
                    catalogue.SUCCESS,
                    catalogue.ERRORS,
                    catalogue.SUPPORT,
                )


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    (tmp_path / "runs").mkdir()
    return StateDir(str(tmp_path))


def collected(state: StateDir) -> list[str]:
    with contextlib.closing(Outbox(state)) as outbox:
        collect.collect_runs(state, outbox, RUN, SYSTEM)
    with read_outbox(state) as found:
        assert found is not None
        return [entry.name for entry in found.entries()]


def put(state: StateDir, name: str, content: str) -> Path:
    path = Path(state.runs, name)
    path.write_text(content)
    return path


def test_a_finished_run_is_moved_once(state: StateDir) -> None:
    content = run_text("begun", "ended 1800000002.000 102.000 exit 0")
    path = put(state, f"{RUN}.run", content)
    assert collect.has_runs(state)
    assert collected(state) == [catalogue.STARTED, catalogue.SUCCESS]
    assert not path.exists()
    assert not collect.has_runs(state)
    put(state, f"{RUN}.run", content)  # as if the importer had died before it removed the file
    assert collected(state) == [catalogue.STARTED, catalogue.SUCCESS]


def test_a_locked_run_stays_and_its_end_follows(state: StateDir) -> None:
    path = put(state, f"{RUN}.run", run_text("begun"))
    with path.open("a") as live:
        fcntl.flock(live, fcntl.LOCK_EX)
        assert collected(state) == [catalogue.STARTED]
        live.write("ended 1800000002.000 102.000 exit 0\n")
    assert collected(state) == [catalogue.STARTED, catalogue.SUCCESS]
    assert not path.exists()


def test_a_file_still_being_made_is_left_alone_for_an_hour(state: StateDir) -> None:
    path = put(state, f"{RUN}.new", run_text("begun"))
    assert collected(state) == []
    assert path.exists()
    os.utime(path, (time.time() - collect.ABANDONED_SECONDS - 60,) * 2)
    assert collected(state) == []
    assert not path.exists()


def test_a_file_still_being_made_is_its_makers_to_lock(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A maker that found it locked would run CMD unreported."""
    locked = []
    monkeypatch.setattr(
        fcntl, "flock", lambda handle, how: locked.append(os.readlink(f"/proc/self/fd/{handle}"))
    )
    young, old = put(state, "young.new", run_text()), put(state, "old.new", run_text())
    os.utime(old, (time.time() - collect.ABANDONED_SECONDS - 60,) * 2)
    collected(state)
    assert str(young) not in locked
    assert str(old) in locked


def test_what_is_no_run_file_tells_nothing(state: StateDir) -> None:
    put(state, "garbage.run", "no run file\n")
    put(state, "bad-end.run", run_text("begun", "ended soon 1 exit x"))
    put(state, "bad-id.run", run_text("begun", id="../../etc"))
    put(state, "bad-number.run", run_text("begun", "ended nan nan exit 1"))
    put(state, "foreign.run", run_text("begun", "ended 1800000002.000 102.000 vanished 9"))
    put(state, "other", run_text("begun"))
    Path(state.runs, "fifo.run").parent.joinpath("folder.run").mkdir()
    os.mkfifo(Path(state.runs, "fifo.run"))
    Path(state.runs, "link.run").symlink_to("/etc/passwd")
    assert set(collected(state)) <= {catalogue.STARTED}
    assert sorted(path.name for path in Path(state.runs).iterdir()) == [
        "fifo.run",
        "folder.run",
        "link.run",
        "other",
    ]


def test_a_run_that_the_disk_cannot_read_costs_no_other(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(state, f"{RUN}.run", run_text("begun", "ended 1800000002.000 102.000 exit 0"))
    bad = put(state, "bad.run", run_text("begun"))

    def failing(read: Callable[..., bytes]) -> Callable[..., bytes]:
        def from_disk(handle: int, *rest: int) -> bytes:
            if os.path.samestat(os.fstat(handle), bad.stat()):
                raise OSError(5, "Input/output error")
            return read(handle, *rest)

        return from_disk

    for name in ("read", "pread"):
        monkeypatch.setattr(os, name, failing(getattr(os, name)))
    assert collect.planned_instance(state) is None
    assert collected(state) == [catalogue.STARTED, catalogue.SUCCESS]
    assert os.listdir(state.runs) == ["bad.run"]


def test_silence_discards_every_run(state: StateDir) -> None:
    put(state, f"{RUN}.run", run_text("begun"))
    put(state, f"{RUN}.new", run_text())
    Path(state.runs, "folder").mkdir()
    collect.discard_runs(state)
    assert os.listdir(state.runs) == ["folder"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["environment ci"], {"id": RUN, "environment": "ci"}),
        (["environment production"], {"id": RUN}),
        (["environment "], {"id": RUN}),
        (["environment my laptop"], {"id": RUN}),
        ([], {"id": RUN}),
    ],
)
def test_an_install_that_is_not_for_production_says_so(
    written: list[str], expected: dict[str, str], world: World
) -> None:
    runs = world.state.path + "/runs"
    Path(runs).mkdir(parents=True)
    Path(runs, f"{RUN}.run").write_text(run_text(*written, "begun", "ended 1800000002.000 102.000 exit 3"))
    logged = [json.loads(line)["event"] for line in world.run("log", "--json").out.splitlines()]
    assert [event["context"]["installation"] for event in logged] == [expected, expected]
