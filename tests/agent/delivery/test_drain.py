"""Draining the outbox: batches, splits, streaks, backoff and budgets, by an injected clock."""

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.base.statedir import StateDir
from agent.delivery.backoff import EAGER_BACKOFF, FIRST_BACKOFF, LONGEST_BACKOFF
from agent.delivery.drain import (
    CHANGED,
    LEAST_SECONDS,
    MAX_BATCH_BYTES,
    MAX_EVENTS,
    SETTLE_SECONDS,
    TOO_SHORT,
    Drain,
    DrainResult,
    Manner,
)
from agent.delivery.transport import BatchOutcome, Delivered, Rejected, RetryLater
from agent.outbox.outbox import Outbox
from tests.instance import event

ENDPOINT = "https://collector.example"
NOW = 1_800_000_000.0
DOWN = RetryLater(None, "down")


@dataclass
class DrainWorld:
    """A clock that moves only when something sleeps or sends, and a receiver with a script."""

    outbox: Outbox
    script: list[BatchOutcome] = field(default_factory=list)
    then: Callable[[list[str]], BatchOutcome] = lambda texts: Delivered()
    time: float = NOW
    takes: float = 0.0
    chance: float = 0.5
    allowed: Callable[[], bool] = lambda: True
    sent: list[list[str]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    given: list[float] = field(default_factory=list)

    def send(self, texts: list[str], seconds: float) -> BatchOutcome:
        self.sent.append(texts)
        self.given.append(seconds)
        self.time += min(self.takes, seconds)
        return self.script.pop(0) if self.script else self.then(texts)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def drain(self, budget: float = 30.0, manner: Manner = "patient") -> DrainResult:
        return Drain(
            self.outbox,
            ENDPOINT,
            self.send,
            budget=budget,
            manner=manner,
            still_allowed=self.allowed,
            now=lambda: self.time,
            monotonic=lambda: self.time,
            sleep=self.sleep,
            chance=lambda: self.chance,
        ).deliver_waiting()

    def record(self, count: int, *, first: int = 0, size: int = 0) -> list[str]:
        made = [event(first + number, NOW) for number in range(count)]
        for one in made:
            self.outbox.record(one | ({"pad": "x" * size} if size else {}), ENDPOINT)
        return [str(one["messageId"]) for one in made]

    def states(self) -> list[str]:
        return [entry.state for entry in self.outbox.entries()]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DrainWorld]:
    with contextlib.closing(Outbox(StateDir(str(tmp_path / "state")), now=lambda: NOW)) as outbox:
        outbox._database._db.execute("PRAGMA synchronous = OFF")
        yield DrainWorld(outbox)


def test_nothing_to_do_is_nothing_sent(world: DrainWorld) -> None:
    assert world.drain() == DrainResult()
    assert world.sent == []


def test_the_oldest_go_first_a_hundred_at_a_time(world: DrainWorld) -> None:
    world.record(2 * MAX_EVENTS + 1)
    recorded = [text for _, text in world.outbox.waiting(ENDPOINT, limit=1000)]

    assert world.drain() == DrainResult()
    assert [len(batch) for batch in world.sent] == [MAX_EVENTS, MAX_EVENTS, 1]
    assert [text for batch in world.sent for text in batch] == recorded


def test_a_batch_stays_within_its_bytes(world: DrainWorld) -> None:
    world.record(40, size=30_000)

    world.drain()

    assert max(sum(len(text) + 1 for text in batch) for batch in world.sent) <= MAX_BATCH_BYTES
    assert [len(batch) for batch in world.sent] == [15, 15, 10]


def test_one_that_is_larger_than_any_batch_still_goes_alone(world: DrainWorld) -> None:
    world.record(2, size=MAX_BATCH_BYTES)

    assert world.drain() == DrainResult()
    assert [len(batch) for batch in world.sent] == [1, 1]


@pytest.mark.parametrize(
    ("written", "read"), [("'{torn'", "{torn"), ("CAST(x'7bff' AS TEXT)", "{\N{REPLACEMENT CHARACTER}")]
)
def test_a_row_that_was_torn_on_disk_does_not_block_the_rest(
    world: DrainWorld, written: str, read: str
) -> None:
    world.record(3)
    world.outbox._database._db.execute(f"UPDATE event SET payload = {written} WHERE seq = 2")
    world.then = lambda texts: Rejected("400") if read in texts else Delivered()

    assert world.drain().waiting is None
    assert [row[0] for row in world.outbox._database._db.execute("SELECT state FROM event ORDER BY seq")] == [
        "sent",
        "rejected",
        "sent",
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # one outbox serves all examples
@given(kinds=st.lists(st.booleans(), min_size=1, max_size=30))
def test_whatever_offends_is_found_alone(world: DrainWorld, kinds: list[bool]) -> None:
    count = len(kinds)
    ids = world.record(count, first=len(world.outbox.entries()))
    bad = {one for one, offensive in zip(ids, kinds) if offensive}

    def offends(texts: list[str]) -> bool:
        return any(one in text for one in bad for text in texts)

    world.then = lambda texts: Rejected("400 Bad Request") if offends(texts) else Delivered()
    world.sent.clear()
    result = world.drain()

    assert world.states()[-count:] == ["rejected" if one in bad else "sent" for one in ids]
    assert len(result.messages) == min(len(bad), 1)
    taken = [text for batch in world.sent if not offends(batch) for text in batch]
    assert len(taken) == count - len(bad), "each good one was taken once"


def test_what_an_answer_lists_is_rejected_and_nothing_else(world: DrainWorld) -> None:
    world.record(5)
    world.script = [Delivered({1: "no_event", 3: "too_deep"})]

    result = world.drain()

    assert world.states() == ["sent", "rejected", "sent", "rejected", "sent"]
    assert len(world.sent) == 1, "no part of the batch is sent again"
    assert result.waiting is None
    assert result.messages == ["2 events were rejected (no_event, too_deep); the log shows them"]


def test_a_batch_may_be_rejected_to_its_last_event(world: DrainWorld) -> None:
    world.record(2)
    world.script = [Delivered({0: "no_event", 1: "no_event"})]

    assert world.drain().waiting is None
    assert world.states() == ["rejected", "rejected"]


def test_rejections_are_one_line_however_many(world: DrainWorld) -> None:
    world.record(3)
    world.then = lambda texts: Rejected("413 Too Large" if len(texts) == 1 else "400")

    assert world.drain().messages == ["3 events were rejected (413 Too Large); the log shows them"]


def test_a_failure_keeps_all_and_notes_the_next_try(world: DrainWorld) -> None:
    world.record(150)
    world.then = lambda texts: DOWN

    result = world.drain(manner="once")

    assert result == DrainResult("down", [f"{ENDPOINT} cannot be reached: down; events are waiting"])
    assert set(world.states()) == {"waiting"}
    trouble = world.outbox.trouble(ENDPOINT)
    assert trouble is not None
    assert (trouble.failures, trouble.next_try) == (1, NOW + FIRST_BACKOFF * 3 / 4)


def test_an_endpoint_that_answered_is_not_called_out_of_reach(world: DrainWorld) -> None:
    world.record(1)
    world.then = lambda texts: RetryLater(None, "403 Forbidden", answered=True)

    assert world.drain(manner="once").messages == [
        f"{ENDPOINT} does not accept events: 403 Forbidden; events are waiting"
    ]


def test_before_it_is_due_nobody_tries(world: DrainWorld) -> None:
    world.record(1)
    world.outbox.note_failure(ENDPOINT, "down", NOW + 3)

    assert world.drain(manner="once") == DrainResult("down")
    assert world.drain(budget=2.9) == DrainResult("down")
    assert (world.sent, world.slept) == ([], [])

    assert world.drain(budget=4).waiting is None
    assert world.slept == [3]


def test_one_that_is_due_is_tried_at_once(world: DrainWorld) -> None:
    world.record(1)
    world.outbox.note_failure(ENDPOINT, "down", NOW)

    assert world.drain(manner="once").waiting is None
    assert world.slept == []


def test_a_patient_flush_tries_again_while_there_is_time(world: DrainWorld) -> None:
    world.record(1)
    world.script = [DOWN, DOWN, RetryLater(7.0, "429")]

    result = world.drain()

    assert result.waiting is None
    assert world.slept == [7.5, 15.0, 7.0]
    assert result.messages == [
        f"{ENDPOINT} cannot be reached: down; events are waiting",
        f"{ENDPOINT} answers again; events were waiting since 2027-01-15T08:00:00.000Z",
    ]
    assert world.outbox.trouble(ENDPOINT) is None


def test_a_wait_beyond_the_budget_is_left_to_the_next(world: DrainWorld) -> None:
    world.record(1)
    world.script = [RetryLater(31.0, "429")]

    assert world.drain().waiting == "429"
    assert world.slept == []


def test_a_rejection_too_is_an_answer(world: DrainWorld) -> None:
    world.record(1)
    world.outbox.note_failure(ENDPOINT, "down", NOW)
    world.then = lambda texts: Rejected("400")

    assert len(world.drain().messages) == 2
    assert world.outbox.trouble(ENDPOINT) is None


def test_a_streak_grows_through_processes_and_is_told_once(world: DrainWorld) -> None:
    world.record(1)
    world.then = lambda texts: DOWN
    said = []
    for _ in range(5):
        said += world.drain(manner="once").messages
        world.time += LONGEST_BACKOFF

    trouble = world.outbox.trouble(ENDPOINT)
    assert trouble is not None
    assert trouble.failures == 5
    assert len(said) == 1


def test_an_eager_one_tries_at_once_and_puts_off_for_less(world: DrainWorld) -> None:
    world.record(1)
    for _ in range(20):
        world.outbox.note_failure(ENDPOINT, "down", NOW + 3000)
    world.then, world.chance = lambda texts: DOWN, 0.999
    world.drain(manner="eager")

    trouble = world.outbox.trouble(ENDPOINT)
    assert trouble is not None
    assert len(world.sent) == 1
    assert NOW < trouble.next_try <= NOW + EAGER_BACKOFF


def test_an_hour_of_eager_tries_makes_no_later_wait_long(world: DrainWorld) -> None:
    world.record(1)
    world.then = lambda texts: DOWN
    for _ in range(60):
        world.drain(manner="eager")
    world.time += EAGER_BACKOFF
    world.drain(manner="once")

    trouble = world.outbox.trouble(ENDPOINT)
    assert trouble is not None
    assert trouble.next_try - world.time <= 2 * EAGER_BACKOFF


def test_the_budget_is_handed_to_each_try(world: DrainWorld) -> None:
    world.record(2 * MAX_EVENTS)
    world.takes = 2

    world.drain(budget=10)

    assert world.given == [10, 8]


def test_a_budget_that_ends_is_no_failure_of_who_answered(world: DrainWorld) -> None:
    """Else the last batch of a long drain, cut short, would start a streak."""
    world.record(3 * MAX_EVENTS)
    world.script = [Delivered(), RetryLater(None, "no answer within 1 s")]
    world.takes = 2

    assert world.drain(budget=3) == DrainResult(TOO_SHORT)
    assert world.outbox.trouble(ENDPOINT) is None


def test_a_budget_that_ends_at_the_first_try_is_one(world: DrainWorld) -> None:
    world.record(1)
    world.script = [RetryLater(None, "no answer within 3 s")]
    world.takes = 5

    assert world.drain(budget=3).waiting == "no answer within 3 s"
    assert world.outbox.trouble(ENDPOINT) is not None


def test_what_cannot_be_ended_is_not_begun(world: DrainWorld) -> None:
    world.record(1)

    assert world.drain(budget=LEAST_SECONDS / 2) == DrainResult(TOO_SHORT)
    assert world.sent == []


def test_a_split_that_runs_out_of_time_keeps_what_it_had_done(world: DrainWorld) -> None:
    ids = world.record(4)
    world.takes = 1
    world.then = lambda texts: Rejected("400") if ids[2] in "".join(texts) else Delivered()

    assert world.drain(budget=2.2) == DrainResult(TOO_SHORT)
    assert world.states() == ["sent", "sent", "waiting", "waiting"]


def test_what_was_sent_is_marked_now_and_then_and_at_the_end(world: DrainWorld) -> None:
    world.record(4 * MAX_EVENTS)
    marked: list[int] = []

    def take(texts: list[str]) -> BatchOutcome:
        marked.append(world.states().count("sent"))
        return Delivered()

    world.then, world.takes = take, SETTLE_SECONDS * 0.6
    world.drain()

    assert marked == [0, 0, 200, 200]
    assert set(world.states()) == {"sent"}


def test_what_was_sent_is_marked_even_if_all_else_fails(world: DrainWorld) -> None:
    world.record(2 * MAX_EVENTS)

    def fail(texts: list[str]) -> BatchOutcome:
        raise MemoryError

    world.script, world.then = [Delivered()], fail
    with pytest.raises(MemoryError):
        world.drain()

    assert world.states() == ["sent"] * 100 + ["waiting"] * 100


def test_silence_is_asked_before_every_single_request(world: DrainWorld) -> None:
    world.record(4)
    world.then = lambda texts: Rejected("400")
    world.allowed = lambda: len(world.sent) < 2

    assert world.drain() == DrainResult(CHANGED)
    assert len(world.sent) == 2


def test_silence_is_asked_after_a_wait(world: DrainWorld) -> None:
    world.record(1)
    world.outbox.note_failure(ENDPOINT, "down", NOW + 3)
    world.allowed = lambda: not world.slept

    assert world.drain() == DrainResult(CHANGED)
    assert (world.slept, world.sent) == ([3], [])


def test_500_for_an_hour_is_a_handful_of_tries_and_nothing_lost(world: DrainWorld) -> None:
    """The daemon's way: it asks again when the outbox says so."""
    made = world.record(250)
    seed = random.SystemRandom().randrange(2**32)
    dice = random.Random(seed)
    world.then = lambda texts: DOWN if world.time < NOW + 3600 else Delivered()
    said, gaps = [], []
    while world.outbox.waiting(ENDPOINT, limit=1):
        world.chance = dice.random()
        result = world.drain(manner="once")
        said += result.messages
        trouble = world.outbox.trouble(ENDPOINT)
        if trouble is not None:
            gaps.append(trouble.next_try - world.time)
            world.time = max(trouble.next_try, world.time + 1)

    assert world.states() == ["sent"] * len(made), f"seed {seed}"
    assert len(said) == 2, f"seed {seed}"
    assert len(gaps) < 60, f"seed {seed}: as few tries as the backoff makes them"
    for number, gap in enumerate(gaps):
        limit = min(FIRST_BACKOFF * 2**number, LONGEST_BACKOFF)
        assert limit / 2 <= gap + 1e-6 <= limit + 1e-5, f"seed {seed}"
    assert world.time < NOW + 3 * 3600, f"seed {seed}"


def test_events_of_another_endpoint_are_left_alone(world: DrainWorld) -> None:
    world.outbox.record(event(1, NOW), "https://elsewhere.example")
    world.record(1, first=2)

    assert world.drain() == DrainResult()
    assert world.states() == ["waiting", "sent"]


def test_the_real_clocks_are_the_default(world: DrainWorld) -> None:
    drain = Drain(world.outbox, ENDPOINT, world.send, budget=1, manner="patient", still_allowed=lambda: True)

    assert drain.deliver_waiting() == DrainResult()
