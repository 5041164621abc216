"""Random histories of a fleet, and the plainest count of what they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from collector.base.events import BEAT, ERRORS, STARTED, SUCCESS, Event
from collector.base.ids import as_uuid
from collector.base.times import DAY_MS, write_time
from collector.ingest import decode
from collector.store import Stores
from tests.collector.page.client import NOW

HOUR = 3_600_000
NAMES = [BEAT, BEAT, BEAT, STARTED, STARTED, SUCCESS, ERRORS]
# Around the ends of days, of spans and of patience: where a count goes wrong if it does.
EDGES = [0, 1, DAY_MS - 1, DAY_MS, DAY_MS + 1, 12 * HOUR, 13 * HOUR, 13 * HOUR + 1, 7 * DAY_MS, 30 * DAY_MS]


@st.composite
def sent(draw: st.DrawFn) -> dict[str, Any]:
    """One event as a client sends it, at any time of the last weeks."""
    name = draw(st.sampled_from(NAMES))
    ago = draw(st.sampled_from(EDGES) | st.integers(0, 45 * 24).map(lambda hours: hours * HOUR))
    event: dict[str, Any] = {
        "type": "track",
        "event": name,
        "anonymousId": as_uuid(bytes([draw(st.integers(1, 4))]) * 16),
        "messageId": str(draw(st.integers(0, 80))),
        "timestamp": write_time(NOW - ago),
        "context": {},
        "properties": {},
    }
    if name != BEAT:
        event["context"] = {
            "app": {"version": draw(st.sampled_from(["1.0", "2.0"]))},
            "os": {"name": draw(st.sampled_from(["debian", "ubuntu"])), "version": "12"},
            "installation": {"id": as_uuid(bytes([draw(st.integers(1, 6))]) * 16)},
        }
    if name == ERRORS:
        place = draw(st.sampled_from([("a.sh", 1), ("a.sh", 2), ("b.sh", 1)]))
        event["properties"] = {"script": place[0], "line": place[1], "exitCode": 1, "reason": "exit"}
    return event


def land(stores: Stores, source: int, found: Sequence[dict[str, Any]], chunk: int) -> list[Event]:
    """Keep the events, some of them twice and in chunks; returns those that are kept."""
    read = [decode.read_event(event, "", source, NOW, settled=True) for event in found]
    for start in range(0, len(read), chunk):
        stores.events.keep(read[start : start + chunk])
        stores.events.keep(read[: start + chunk : 3])
    kept: dict[bytes, Event] = {}
    for event in read:
        kept.setdefault(event.id, event)
    return list(kept.values())


def instances(kept: Sequence[Event]) -> dict[bytes | None, tuple[list[int], list[int]]]:
    """All times and the times of beats, by instance."""
    return {
        who: (
            [e.time for e in kept if e.who == who],
            [e.time for e in kept if e.who == who and e.name == BEAT],
        )
        for who in {e.who for e in kept}
    }


def established(times: list[int]) -> bool:
    return max(times) - min(times) > DAY_MS


def active(kept: Sequence[Event], after: int, until: int) -> Counter[bool]:
    """Instances with a beat after one instant and up to another, by whether they are established."""
    return Counter(
        established(times)
        for times, beats in instances(kept).values()
        if any(after < beat <= until for beat in beats)
    )


def states(kept: Sequence[Event]) -> Counter[str]:
    """Established instances by what their last beat says now."""
    found: Counter[str] = Counter()
    for times, beats in instances(kept).values():
        if not established(times):
            continue
        quiet = NOW - max(beats) if beats else None
        if quiet is None:
            found["never"] += 1
        elif quiet >= 30 * DAY_MS:
            found["gone"] += 1
        else:
            found["silent" if quiet >= 12 * HOUR + 15 * 60_000 else "beating"] += 1
    return found


def outcomes(kept: Sequence[Event], first: int, last: int) -> Counter[str]:
    """Runs that began on these days, by how they ended."""
    found: Counter[str] = Counter()
    for began, _, end in runs(kept, first, last):
        found["started"] += 1
        if end:
            found["succeeded" if end.name == SUCCESS else "failed"] += 1
        else:
            found["running" if began > NOW - DAY_MS else "given_up"] += 1
    return found


def places(kept: Sequence[Event], first: int, last: int) -> dict[tuple[str, str], tuple[int, int]]:
    """Runs that began on these days and failed, by script and line: how many, and of how many instances."""
    failed: dict[tuple[str, str], list[bytes]] = {}
    for _, who, end in runs(kept, first, last):
        if end and end.name == ERRORS:
            failed.setdefault(place_of(end), []).append(who)
    return {place: (len(all_of), len(set(all_of))) for place, all_of in failed.items()}


def runs(kept: Sequence[Event], first: int, last: int) -> Iterator[tuple[int, bytes, Event | None]]:
    """When each run began, its instance, and its last word; of two at once the greater."""
    for run in {e.run for e in kept if e.run}:
        mine = [e for e in kept if e.run == run]
        starts = [e.time for e in mine if e.name == STARTED]
        ends = [e for e in mine if e.name in (SUCCESS, ERRORS)]
        end = max(ends, key=lambda e: (e.time, e.name == SUCCESS, place_of(e)), default=None)
        began = min(starts) if starts else end.time if end else 0
        if first <= began // DAY_MS <= last:
            yield began, max(e.who or b"" for e in mine), end


def place_of(event: Event) -> tuple[str, str]:
    fact = event.fact
    return (fact.script or "", str(fact.line or "")) if fact else ("", "")
