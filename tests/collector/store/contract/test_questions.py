"""Every question has the answer that plain Python gives over the same events."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from collector.base.events import BEAT, STARTED, SUCCESS, UPGRADED, Event
from collector.base.times import DAY_MS, write_time
from collector.ingest import decode
from collector.store import EventStore
from collector.store.fleet import Census, Instance, InstanceFilter, InstancesEnd
from collector.store.history import MOST_UPGRADES, on_day
from collector.store.runs import LATEST as END_OF_RUNS
from collector.store.runs import MOST_FIRST_DAYS, NO_RUN, Run, RunFilter
from collector.store.usage import HOUR_MS, stored_bytes
from collector.store.values import FIRST_PAGE, NO_PAGE, Cutoffs, PageEnd, StoredEvent
from tests.collector.store.contract.answers import LATEST, said_by, told_by
from tests.collector.store.contract.history import (
    KEYS,
    NOW,
    OTHER_SOURCE,
    SOURCE,
    TODAY,
    keep_in_pieces,
    made_history,
    without_late_beats,
)

End = tuple[int, bytes]


def test_these_tests_use_every_method_of_the_interface() -> None:
    text = "".join(file.read_text() for file in Path(__file__).parent.glob("*.py"))
    methods = EventStore.__abstractmethods__ - {"close"}
    assert [name for name in methods if f".{name}(" not in text and f".{name}," not in text] == []
    assert len(methods) > 20


@pytest.mark.parametrize("seed", range(3))
def test_each_question_is_answered_as_the_events_say(events: EventStore, seed: int) -> None:
    history = made_history(seed)
    keep_in_pieces(events, history)
    for source in (SOURCE, OTHER_SOURCE):
        assert told_by(events, source) == said_by(history, source)


def test_an_upgrade_changes_the_version_in_the_history_and_no_system(events: EventStore) -> None:
    def told(name: str, ago: int, **more: Any) -> Event:
        fields = {"event": name, "anonymousId": "one", "messageId": f"{name} {ago}", "context": {}, **more}
        fields["timestamp"] = write_time(NOW - ago * DAY_MS)
        return decode.read_event(fields, "track", SOURCE, NOW, settled=True)

    system = {"os": {"name": "debian", "version": "12"}, "installation": {"id": "r"}}
    events.keep(
        [
            told(SUCCESS, 20, context={"app": {"version": "1.0"}, **system}),
            *(told(BEAT, ago) for ago in range(0, 20, 4)),
            told(UPGRADED, 10, properties={"from": "1.0", "to": "1.1"}),
            told(UPGRADED, 6, properties={"to": 7}),
            told(UPGRADED, 5, properties=None),
            told(UPGRADED, 3, properties={"from": "1.1", "to": "2.0"}),
        ]
    )
    history = events.fleet_history(SOURCE)
    shown = {TODAY - 11: "1.0", TODAY - 10: "1.1", TODAY - 4: "1.1", TODAY - 3: "2.0", TODAY: "2.0"}
    for day, version in shown.items():
        assert (on_day(history.versions, day), on_day(history.systems, day)) == (
            {version: 1},
            {"debian 12": 1},
        )


def test_many_large_upgrades_of_one_instance_take_little_memory(events: EventStore) -> None:
    def told(name: str, ago: int, more: dict[str, Any]) -> Event:
        fields = {"event": name, "anonymousId": "one", "messageId": f"{name} {ago}", "properties": more}
        fields["timestamp"] = write_time(NOW - ago)
        return decode.read_event(fields, "track", SOURCE, NOW, settled=True)

    half_an_hour, size = DAY_MS // 48, 4_000
    many = 10 * MOST_UPGRADES
    events.keep([told(BEAT, ago * DAY_MS, {}) for ago in range(20)])
    events.keep(
        told(UPGRADED, ago * half_an_hour, {"to": f"1.{many - ago}", "pad": "x" * size})
        for ago in range(many)
    )
    versions = events.fleet_history(SOURCE).versions
    assert on_day(versions, TODAY) == {f"1.{many}": 1}
    assert on_day(versions, TODAY - 10) == {"": 1}  # only the latest ones are read
    tracemalloc.start()
    try:
        events.fleet_history(SOURCE)
        assert size < tracemalloc.get_traced_memory()[1] < many * size / 2
    finally:
        tracemalloc.stop()


def test_made_up_versions_crowd_out_no_frequent_one(events: EventStore) -> None:
    def told(number: int, version: str) -> Event:
        at = NOW - number % 20 * DAY_MS  # few words are counted on one day
        context = {"app": {"version": version}, "installation": {"id": f"run {number}"}}
        fields = {"event": STARTED, "anonymousId": "one", "messageId": f"{number}", "context": context}
        return decode.read_event({**fields, "timestamp": write_time(at)}, "track", SOURCE, NOW, settled=True)

    made_up = MOST_FIRST_DAYS + 10
    events.keep(told(number, "9.9") for number in range(made_up, made_up + 2))
    for first in range(0, made_up, made_up // 2):
        events.keep(told(number, f"0.{number}") for number in range(first, first + made_up // 2))
        events.first_days(SOURCE, "version")  # a question counts few of those that wait
    first_days = events.first_days(SOURCE, "version")
    rare = next(f"0.{number}" for number in range(made_up) if f"0.{number}" not in first_days)
    assert len(first_days) == MOST_FIRST_DAYS
    assert "9.9" in first_days
    assert events.first_days(SOURCE, "version", rare) == {rare: TODAY - int(rare[2:]) % 20}
    assert events.first_days(SOURCE, "version", "7?") == {}


def test_the_newest_census_is_kept_until_something_expires_or_is_removed(events: EventStore) -> None:
    keep_in_pieces(events, made_history(0))
    taken = events.census(SOURCE, NOW)
    for delete in (
        lambda: events.keep_census(SOURCE, None),
        lambda: events.expire(Cutoffs.all_at(NOW - 40 * DAY_MS), NOW, lambda _: None),
        lambda: events.remove(KEYS[0], 0, NOW, lambda _: None),
    ):
        events.keep_census(SOURCE, taken)
        events.keep_census(SOURCE, events.census(SOURCE, NOW - DAY_MS))
        events.keep_census(OTHER_SOURCE, Census(NOW))
        assert events.kept_censuses() == {SOURCE: taken, OTHER_SOURCE: Census(NOW)}
        delete()
        assert SOURCE not in events.kept_censuses()


def test_the_comparison_would_notice_an_event_that_is_missing(events: EventStore) -> None:
    history = made_history(0)
    keep_in_pieces(events, history)
    gone = next(event for event in history if event.source == SOURCE)
    left = [event for event in history if event is not gone]
    assert told_by(events) != said_by(left)


def test_an_empty_store_has_an_answer_to_each_question(events: EventStore) -> None:
    told, said = told_by(events), said_by([])
    assert told == said
    assert events.sources_heard([]) == events.sources_heard([SOURCE]) == set()
    assert events.find_run(SOURCE, b"r" * 16) is None
    assert list(events.export()) == []


def test_a_source_is_heard_once_an_event_of_it_is_kept(events: EventStore) -> None:
    events.keep([event for event in made_history(0) if event.source == OTHER_SOURCE])
    assert events.sources_heard([SOURCE, OTHER_SOURCE, 99]) == {OTHER_SOURCE}


def test_what_each_key_added_is_known_by_hour(events: EventStore) -> None:
    history = made_history(0)
    keep_in_pieces(events, history)
    keep_in_pieces(events, history)  # what is there already adds nothing
    since = (NOW - 5 * DAY_MS) // HOUR_MS
    counts, sizes = Counter[tuple[int | None, int]](), Counter[tuple[int | None, int]]()
    for event in history:
        hour = (event.key, event.received // HOUR_MS)
        if hour[1] >= since:
            counts[hour] += 1
            sizes[hour] += stored_bytes(event)
    used = events.usage_since(since)
    assert {(one.key, one.hour): (one.events, one.bytes) for one in used} == {
        hour: (counts[hour], sizes[hour]) for hour in counts
    }


def every_id(ask: Callable[[End], tuple[Sequence[Instance | Run], End | None]], start: End) -> list[bytes]:
    """The ids on all pages of a list."""
    found: list[bytes] = []
    end: End | None = start
    while end is not None:
        listed, end = ask(end)
        found += [one.id for one in listed]
    return found


def test_every_page_of_the_instances_has_each_of_them_once_in_both_orders(events: EventStore) -> None:
    keep_in_pieces(events, made_history(0))
    last: InstancesEnd = (LATEST, b"")

    def ask(state: str, before: InstancesEnd, most: int, after: InstancesEnd | None = None) -> Any:
        wanted = InstanceFilter(state)
        return events.list_instances(SOURCE, wanted, TODAY - 29, TODAY, NOW, before, most, after)

    for state in ("all", "silent", "gone", "new", "returning"):
        whole = [one.id for one in ask(state, last, 100)[0]]
        assert len(whole) > 1 or state != "all"
        assert every_id(lambda end: ask(state, end, 2), last) == whole  # noqa: B023 - asked at once
        assert every_id(lambda end: ask(state, last, 2, end), (-1, b"")) == whole[::-1]  # noqa: B023 - the same


@pytest.mark.parametrize("state", ["", "failed", "stuck"])
def test_every_page_of_the_runs_has_each_of_them_once_in_both_orders(events: EventStore, state: str) -> None:
    keep_in_pieces(events, made_history(0))
    wanted, last = RunFilter(state), (NOW, b"")
    runs, _ = events.list_runs(SOURCE, wanted, 0, last, NOW, 100)
    whole = [run.id for run in runs]
    assert len(whole) > 1
    assert every_id(lambda end: events.list_runs(SOURCE, wanted, 0, end, NOW, 1), last) == whole
    assert every_id(lambda end: events.list_runs(SOURCE, wanted, 0, last, NOW, 1, end), NO_RUN) == whole[::-1]
    second = runs[-2]
    later, _ = events.list_runs(SOURCE, wanted, second.began or 0, last, NOW, 100, NO_RUN)
    assert [run.id for run in later] == whole[-2::-1]


def test_failures_and_requests_for_help_are_read_from_both_ends(events: EventStore) -> None:
    keep_in_pieces(events, made_history(0))
    worst = events.worst_failures(SOURCE, TODAY - 40, TODAY, 1)[0].place
    failed = events.runs_failed_at(SOURCE, worst, 0, (NOW, b""), 100)
    first = events.runs_failed_at(SOURCE, worst, 0, (NOW, b""), 1, NO_RUN)
    rest = events.runs_failed_at(SOURCE, worst, 0, (NOW, b""), 100, (first[0].began or 0, first[0].id))
    assert [run.id for run in failed] == [run.id for run in (first + rest)[::-1]]
    assert rest
    asked = events.asked_runs(SOURCE, NO_RUN, 100)
    latest = events.asked_runs(SOURCE, NO_RUN, 2, END_OF_RUNS)
    assert latest + events.asked_runs(SOURCE, NO_RUN, 100, latest[-1]) == asked[::-1]
    assert len(asked) > 2


def every_body(ask: Callable[[PageEnd, int], list[StoredEvent]], start: PageEnd, most: int) -> list[str]:
    """The events on all pages of a list."""
    bodies: list[str] = []
    end = start
    while page := ask(end, most):
        bodies += [event.body for event in page]
        end = page[-1].end
    return bodies


def test_every_page_of_the_events_has_each_of_them_once_in_both_orders(events: EventStore) -> None:
    history = made_history(0)
    keep_in_pieces(events, history)
    who = next(event.who for event in history if event.name == BEAT and event.source == SOURCE) or b""
    lists: list[Callable[..., list[StoredEvent]]] = [
        partial(events.latest_events, SOURCE),
        partial(events.events_named, SOURCE, "Deployed"),
        partial(events.events_named, SOURCE, BEAT),
        partial(events.events_of_instance, SOURCE, who, ""),
        partial(events.events_of_instance, SOURCE, who, BEAT),
    ]
    for ask in lists:
        latest = [event.body for event in ask(NO_PAGE, 1000)]
        assert len(set(latest)) == len(latest) > 5
        for most in (1, 2, 7):
            assert every_body(ask, NO_PAGE, most) == latest
            oldest = every_body(partial(ask, oldest_first=True), FIRST_PAGE, most)
            # Two lists by arrival are merged by their times, and a time may be wrong.
            by_arrival = ask is lists[0]
            assert (sorted(oldest) == sorted(latest)) if by_arrival else (oldest[::-1] == latest)


def test_where_a_page_ends_fits_into_an_address(events: EventStore) -> None:
    keep_in_pieces(events, made_history(0))
    ends = [event.end for event in events.latest_events(SOURCE, NO_PAGE, 1000)]
    ends += [event.end for event in events.events_named(SOURCE, BEAT, NO_PAGE, 1000)]
    assert all(0 <= first < 10**18 and 0 <= second < 10**39 for first, second in ends)


def test_the_latest_events_are_those_that_arrived_last(events: EventStore) -> None:
    """However old what they tell of is."""
    history = without_late_beats([event for event in made_history(0) if event.source == SOURCE])
    for event in history:
        events.keep([event])
    latest = events.latest_events(SOURCE, NO_PAGE, 50)
    assert [event.body for event in latest] == [event.body for event in history[:-51:-1]]
    oldest = events.latest_events(SOURCE, FIRST_PAGE, 50, oldest_first=True)
    assert [event.body for event in oldest] == [event.body for event in history[:50]]
    assert len({event.name for event in latest}) > 3


def test_lists_are_no_longer_than_what_was_asked_for(events: EventStore) -> None:
    history = made_history(0)
    keep_in_pieces(events, history)
    run = next(event.run for event in history if event.run and event.source == SOURCE)
    who = next(event.who for event in history if event.run == run)
    listed, end = events.list_runs(SOURCE, RunFilter(), 0, (NOW, b""), NOW, 2)
    assert (len(listed), end) == (2, (listed[1].began, listed[1].id))
    assert sum(one.runs for one in events.failed_runs(SOURCE, TODAY - 40, TODAY, 2)) == 2
    assert len(events.runs_of_instance(SOURCE, who or b"", 1)) == 1
    asked = events.asked_runs(SOURCE, NO_RUN, 3)
    assert events.asked_runs(SOURCE, asked[0], 2) == asked[1:]
    everything = (b"", b"\xff" * 16)
    assert len(events.runs_between(SOURCE, *everything, 2)) == 2
    assert len(events.instances_between(SOURCE, *everything, 2)) == 2
    assert len(events.count_by_name(SOURCE, TODAY - 40, TODAY, 2)) == 2
    assert len(events.events_of_run(SOURCE, run or b"", 1)) == 1
    assert len(events.event_names(SOURCE, 3)) == 3
    assert len(events.worst_failures(SOURCE, TODAY - 40, TODAY, 1)) == 1
