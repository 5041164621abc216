import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.base.clock import Now
from agent.base.statedir import StateDir
from agent.events import catalogue
from agent.outbox import bounds
from agent.outbox.errors import OutboxError
from agent.outbox.outbox import Outbox, Trouble, read_outbox
from tests.agent.world import NOW

HERE, THERE = "https://a.example", "https://b.example"
DAY = 86400.0

WRITER = """
import sys
from agent.outbox.errors import OutboxError
from agent.outbox.outbox import Outbox
from agent.base.statedir import StateDir
box = Outbox(StateDir(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    event = {"messageId": f"{sys.argv[2]}-{number}", "event": "Filled", "properties": {}}
    while True:
        try:
            assert box.record(event, "https://a.example")
            break
        except OutboxError:  # the disk itself paused: that is nobody's turn
            continue
"""


class Clock:
    def __init__(self) -> None:
        self.now = NOW
        self.boot, self.boot_id = 5000.0, "boot"

    def __call__(self) -> float:
        return self.now

    def clocks(self) -> Now:
        """A machine that never stops; its wall clock is another matter."""
        return Now(self.boot, self.now, self.boot_id)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(str(tmp_path / "state"))


@pytest.fixture
def box(state: StateDir, clock: Clock) -> Iterator[Outbox]:
    with closing(Outbox(state, now=clock, clocks=clock.clocks)) as found:
        yield found


def event(number: int = 1, name: str = "Filled", size: int = 0) -> dict[str, object]:
    return {"messageId": f"m{number}", "event": name, "properties": {"x": "x" * size}}


def names(box: Outbox, state: str) -> list[str]:
    return [entry.message_id for entry in box.entries() if entry.state == state]


def test_what_was_recorded_is_there_to_the_letter(box: Outbox, state: StateDir) -> None:
    assert box.record(event(1), HERE)
    assert box.record(event(2), "")
    with read_outbox(state) as reader:
        assert reader is not None
        first, second = reader.entries()
    assert first.payload == catalogue.dumps(event(1))
    assert first.event == event(1)
    assert (first.state, first.recorded_at, first.settled_at) == ("waiting", "2027-01-15T08:00:00.000Z", None)
    assert (first.endpoint, second.endpoint) == (HERE, None)


def test_a_message_id_is_kept_once(box: Outbox) -> None:
    assert box.record(event(1), HERE)
    assert not box.record(event(1, "Other"), THERE)
    assert [entry.name for entry in box.entries()] == ["Filled"]


def test_one_heartbeat_is_kept_a_slot(box: Outbox) -> None:
    assert box.record(event(1, catalogue.ACTIVE), HERE, slot=7)
    assert not box.record(event(2, catalogue.ACTIVE), HERE, slot=7)
    assert box.record(event(3, catalogue.ACTIVE), HERE, slot=8)
    assert box.record(event(4, catalogue.ACTIVE), HERE)
    assert names(box, "waiting") == ["m1", "m3", "m4"]
    assert box.last_beat() == "2027-01-15T08:00:00.000Z"


def test_a_time_of_its_own_may_be_given(box: Outbox) -> None:
    box.record(event(1), HERE, at=0.0)
    assert box.entries()[0].recorded_at == "1970-01-01T00:00:00.000Z"


def test_what_waits_is_told_apart_by_endpoint(box: Outbox) -> None:
    for number, endpoint in enumerate([HERE, THERE, "", HERE]):
        box.record(event(number), endpoint)
    assert [seq for seq, _ in box.waiting(HERE, limit=10)] == [1, 4]
    assert len(box.waiting(HERE, limit=1)) == 1
    assert box.waiting_elsewhere(HERE) == 1
    box.adopt(THERE)
    assert [seq for seq, _ in box.waiting(THERE, limit=10)] == [2, 3]
    assert [seq for seq, _ in box.waiting_anywhere(after=1, limit=2)] == [2, 3]


def test_what_was_settled_is_settled_once(box: Outbox, clock: Clock) -> None:
    for number in range(3):
        box.record(event(number), HERE)
    clock.now += 60
    box.settle([1], "sent")
    box.settle([1, 2], "rejected")
    assert (names(box, "sent"), names(box, "rejected"), names(box, "waiting")) == (["m0"], ["m1"], ["m2"])
    assert box.entries()[0].settled_at == "2027-01-15T08:01:00.000Z"
    assert box.entries(1)[0].message_id == "m2"
    assert box.entries(0) == []
    assert (box.count("sent"), box.count("waiting")) == (1, 1)


def test_silence_erases_what_waits_and_keeps_its_row(box: Outbox, state: StateDir) -> None:
    secret = "A-WORD-NOBODY-SHOULD-FIND"
    box.record({"messageId": "m1", "event": "Filled", "properties": {"x": secret}}, HERE)
    box.record(event(2), HERE)
    box.settle([2], "sent")
    assert secret.encode() in Path(state.outbox).read_bytes()
    assert box.erase() == 1
    assert box.erase() == 0
    gone, kept = box.entries()
    assert gone.event == {"messageId": "m1", "event": "Filled"}
    assert (gone.state, kept.state, kept.event) == ("deleted", "sent", event(2))
    assert box.waiting(HERE, limit=9) == []
    assert secret.encode() not in Path(state.outbox).read_bytes()


def test_the_oldest_heartbeats_go_first_then_the_oldest_others(
    box: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_WAITING", 3)
    for number, name in enumerate(["A", catalogue.ACTIVE, "B", catalogue.ACTIVE, "C", "D", "E"]):
        box.record(event(number, name), HERE)
    assert names(box, "dropped") == ["m0", "m1", "m2", "m3"]
    assert names(box, "waiting") == ["m4", "m5", "m6"]
    assert box.dropped() == 4


def test_what_waits_is_bounded_in_bytes_too(box: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(catalogue.dumps(event(1, size=1000)))
    monkeypatch.setattr(bounds, "MAX_WAITING_BYTES", 3 * size)
    for number in range(1, 6):
        box.record(event(number, size=1000), HERE)
    assert names(box, "waiting") == ["m3", "m4", "m5"]


def test_the_audit_log_keeps_90_days(box: Outbox, clock: Clock) -> None:
    for number in range(4):
        box.record(event(number), HERE)
    box.settle([1], "sent")
    clock.boot += 90 * DAY
    box.settle([2], "sent")
    box.purge()
    assert names(box, "sent") == ["m0", "m1"]
    clock.boot += 1
    box.purge()
    assert (names(box, "sent"), names(box, "waiting")) == (["m1"], ["m2", "m3"])


@pytest.mark.parametrize("year", [1970, 2099])
def test_a_wrong_clock_deletes_nothing_from_the_log(box: Outbox, clock: Clock, year: int) -> None:
    box.record(event(1), HERE)
    box.settle([1], "sent")
    right, clock.now = clock.now, (year - 1970) * 365.2425 * DAY
    box.record(event(2), HERE)
    box.settle([2], "sent")
    box.purge()
    clock.now = right
    box.purge()
    assert names(box, "sent") == ["m1", "m2"]


def test_a_wrong_clock_does_not_change_which_rows_are_the_oldest(
    box: Outbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_SETTLED", 2)
    for number, now in enumerate((clock.now, 0.0, clock.now)):
        clock.now = now
        clock.boot += 60
        box.record(event(number), HERE)
        box.settle([number + 1], "sent")
    assert names(box, "sent") == ["m1", "m2"]


def test_only_time_in_which_the_machine_ran_makes_the_log_old(box: Outbox, clock: Clock) -> None:
    """How long a machine was off only its wall clock knows; another machine's boot clock says nothing."""
    box.record(event(1), HERE)
    box.settle([1], "sent")
    for boot in (500 * DAY, 10 * DAY, 300 * DAY):
        clock.boot_id, clock.boot = f"boot at {boot}", boot
        box.purge()
    clock.boot -= 200 * DAY  # a snapshot was restored
    box.purge()
    assert names(box, "sent") == ["m1"]
    clock.boot += 90 * DAY + 1
    box.purge()
    assert names(box, "sent") == []


def test_a_date_that_is_faked_for_one_process_makes_nothing_old(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who tries a date with `faketime 2099-01-01 rollcall beat` changes every clock of that process."""
    with closing(Outbox(state)) as box:
        box.record(event(1), HERE)
        box.settle([1], "sent")
        box.purge()
    tell, look = time.time, time.clock_gettime
    monkeypatch.setattr(time, "time", lambda: tell() + 70 * 365 * DAY)
    monkeypatch.setattr(time, "clock_gettime", lambda clock: look(clock) + 70 * 365 * DAY)
    with closing(Outbox(state)) as box:
        box.purge()
        assert names(box, "sent") == ["m1"]


def test_a_database_of_an_earlier_release_keeps_its_log_and_begins_to_age(
    state: StateDir, clock: Clock
) -> None:
    with closing(Outbox(state, now=clock, clocks=clock.clocks)) as box:
        box.record(event(1), HERE)
        box.settle([1], "sent")
        box._database._db.execute("DROP TABLE age")
    clock.now += 400 * DAY
    with closing(Outbox(state, now=clock, clocks=clock.clocks)) as box:
        box.purge()
        assert names(box, "sent") == ["m1"]
        clock.boot += 90 * DAY + 1
        box.purge()
        assert names(box, "sent") == []


@pytest.mark.parametrize(("rows", "size"), [(2, 10**6), (10**6, 2)])
def test_the_audit_log_is_bounded_in_rows_and_bytes(
    box: Outbox, monkeypatch: pytest.MonkeyPatch, rows: int, size: int
) -> None:
    monkeypatch.setattr(bounds, "MAX_SETTLED", rows)
    monkeypatch.setattr(bounds, "MAX_SETTLED_BYTES", size * len(catalogue.dumps(event(1))))
    for number in range(5):
        box.record(event(number), HERE)
        box.settle([number + 1], "sent")
    assert names(box, "sent") == ["m3", "m4"]


@settings(max_examples=25)  # each records to the disk for real
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 400)), max_size=30))
def test_the_bounds_hold_whatever_is_recorded(
    tmp_path_factory: pytest.TempPathFactory, given_: list[tuple[bool, int]]
) -> None:
    state = StateDir(str(tmp_path_factory.mktemp("outbox")))
    small = {"MAX_WAITING": 5, "MAX_WAITING_BYTES": 900, "MAX_SETTLED": 4, "MAX_SETTLED_BYTES": 700}
    with pytest.MonkeyPatch.context() as patch, closing(Outbox(state)) as box:
        for name, value in small.items():
            patch.setattr(bounds, name, value)
        for number, (beat, size) in enumerate(given_):
            box.record(event(number, catalogue.ACTIVE if beat else "Filled", size), HERE)
        entries = box.entries()
        waiting = [entry for entry in entries if entry.state == "waiting"]
        settled = [entry for entry in entries if entry.state != "waiting"]
        assert len(waiting) <= 5
        assert sum(len(entry.payload or "") for entry in waiting) <= 900
        assert len(settled) <= 4
        assert sum(len(entry.payload or "") for entry in settled) <= 700
        assert box.dropped() + len(waiting) == len(given_)


def test_a_streak_of_failures_is_remembered_until_the_endpoint_answers(box: Outbox, clock: Clock) -> None:
    assert box.trouble(HERE) is None
    box.note_failure(HERE, "500", NOW + 10)
    clock.now += 60
    box.note_failure(HERE, "503", NOW + 70)
    trouble = box.trouble(HERE)
    assert trouble == Trouble(2, NOW + 70, "503", "2027-01-15T08:00:00.000Z")
    assert box.trouble(THERE) is None
    box.note_success(HERE)
    assert box.trouble(HERE) is None


def write(state: StateDir, writers: int, count: int) -> list[str]:
    """Have several processes record at once; the messageIds in the order in which they were recorded."""
    command = [sys.executable, "-I", "-c", WRITER, state.path]
    running = [
        subprocess.Popen([*command, f"{number}", str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for number in range(writers)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in running:
        process.communicate(timeout=250)
        assert process.returncode == 0
    with read_outbox(state) as reader:
        assert reader is not None
        return [entry.message_id for entry in reader.entries()]


WRITERS, RECORDS = 10, 100
LONGEST_TURNS = WRITERS * 20
"""Without turns, the one that had the database has it again: others wait for five hundred and more."""


def test_ten_processes_that_record_at_once_lose_nothing_and_take_turns(state: StateDir) -> None:
    recorded = write(state, WRITERS, RECORDS)
    by = [message_id.partition("-")[0] for message_id in recorded]
    turns = {writer: [-1, *(turn for turn, one in enumerate(by) if one == writer)] for writer in set(by)}
    longest = max(after - before for own in turns.values() for before, after in zip(own, own[1:]))
    print(f"the longest that one waited: for {longest} records of the others'")

    assert sorted(recorded) == sorted(f"{one}-{n}" for one in range(WRITERS) for n in range(RECORDS))
    assert longest < LONGEST_TURNS


def test_a_reader_is_answered_while_others_write(state: StateDir) -> None:
    stop, counts = threading.Event(), []

    def look() -> None:
        while not stop.is_set():
            with suppress(OutboxError), read_outbox(state) as reader:  # as in WRITER
                counts.append(reader.count("waiting") if reader else 0)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        written = write(state, 2, 50)
    finally:
        stop.set()
        thread.join()
    assert counts
    assert counts == sorted(counts)
    assert len(written) == 100


def test_a_reader_waits_while_the_disk_pauses(
    state: StateDir, box: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.record(event(1), HERE)
    with closing(sqlite3.connect(state.outbox, isolation_level=None)) as other, read_outbox(state) as reader:
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr("agent.outbox.opening.time.sleep", lambda _: other.execute("ROLLBACK"))
        assert reader is not None
        assert reader.count("waiting") == 1


def test_a_database_deleted_under_an_open_outbox_loses_nothing_more(box: Outbox, state: StateDir) -> None:
    box.record(event(1), HERE)
    os.unlink(state.outbox)
    assert box.record(event(2), HERE)
    with read_outbox(state) as reader:
        assert reader is not None
        assert [entry.message_id for entry in reader.entries()] == ["m2"]


def test_a_database_set_aside_under_an_open_outbox_is_not_written_to(box: Outbox, state: StateDir) -> None:
    box.record(event(1), HERE)
    os.replace(state.outbox, state.outbox + ".aside")
    with closing(Outbox(state)) as other:
        other.record(event(2), HERE)
    assert box.record(event(3), HERE)
    assert names(box, "waiting") == ["m2", "m3"]


@pytest.mark.parametrize("changed", [False, True])
def test_what_was_sent_from_a_database_that_is_gone_settles_nothing_in_the_next(
    box: Outbox, state: StateDir, changed: bool
) -> None:
    """Its numbers are those of other events there, whichever change was the first to find it gone."""
    box.record(event(1), HERE)
    seqs = [seq for seq, _ in box.waiting(HERE, limit=10)]
    os.unlink(state.outbox)
    with closing(Outbox(state)) as other:
        other.record(event(2), HERE)
    if changed:
        box.note_failure(HERE, "500", NOW)
    box.settle(seqs, "sent")
    assert names(box, "waiting") == ["m2"]
    with closing(Outbox(state)) as other:
        other.settle(seqs, "sent")
        assert names(other, "waiting") == []


def test_a_change_that_fails_leaves_nothing_half_done(box: Outbox) -> None:
    box.record(event(1), HERE)
    with pytest.raises(OutboxError, match="cannot be used"):
        box.settle([1], "no such state")
    assert names(box, "waiting") == ["m1"]
    assert box.record(event(2), HERE)


def test_nobody_who_waits_for_ever_hangs_a_writer(
    state: StateDir, box: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.outbox.opening.LOCK_WAIT", 0.2)
    with closing(sqlite3.connect(state.outbox, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutboxError, match="another process is using the outbox; try again"):
            box.record(event(1), HERE)
    assert box.record(event(1), HERE)


def test_no_outbox_is_none_and_makes_nothing(state: StateDir) -> None:
    with read_outbox(state) as reader:
        assert reader is None
    assert not os.path.exists(state.path)


def damage(path: str, how: Callable[[bytes], bytes]) -> None:
    Path(path).write_bytes(how(Path(path).read_bytes()))


def test_a_page_torn_under_an_open_outbox_is_set_aside_and_the_event_kept(
    box: Outbox, state: StateDir, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(50):
        box.record(event(number, size=500), HERE)
    torn = lambda data: data[:24] + b"\xff" * 4 + data[28:4096] + b"\xa5" * (len(data) - 4096)  # noqa: E731
    damage(state.outbox, torn)  # bytes 24 to 27: what tells SQLite to trust its cache no more
    assert box.record(event(99), HERE)
    assert names(box, "waiting") == ["m99"]
    assert capfd.readouterr().err.count("is damaged; it was renamed to") == 1
    assert json.loads(box.waiting(HERE, limit=1)[0][1]) == event(99)
