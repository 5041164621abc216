"""What events say of instances, and what is known of those that have expired, put together."""

from __future__ import annotations

from collections.abc import Sequence

from collector.base.events import BEAT
from collector.store.clickhouse.past import Past, latest
from collector.store.clickhouse.text import Row, filled
from collector.store.fleet import Instance
from collector.store.spans import SLOT_MS, SLOTS_A_DAY

WHOLE = (
    "instance, first_seen, last_seen, last_beat_at, beat_count, slot_set,"
    " fact.1 AS f1, fact.2 AS f2, fact.3 AS f3, fact.4 AS f4,"
    " said.1 AS f5, said.2 AS f6"
)


# The columns of events that say something of an instance, or whether an event has expired.
_TELLING = (
    "source, id, ver, seq, received, time, name, who, run, telling, version, os, os_version, environment"
)


def told_of_instances(where: str, rows: str = "events FINAL PREWHERE who IS NOT NULL") -> str:
    """What the events say that meet a condition, by source and instance; or some rows of events alone.

    PREWHERE: all rows of an event are of the same instance, so that of others no more columns are read.
    """
    is_beat = filled("name = ?", [BEAT])
    return (
        "SELECT source AS of_source, assumeNotNull(who) AS instance, min(time) AS first_at,"
        f" max(time) AS last_at, maxIf(time, {is_beat}) AS beat_at, countIf({is_beat}) AS beat_n,"
        f" groupUniqArrayIf(intDiv(time, {SLOT_MS}), {is_beat}) AS beat_slots,"
        f" maxIf((time, version, os, os_version), NOT ({is_beat})) AS told_fact,"
        f" maxIf((time, environment), run IS NOT NULL AND NOT ({is_beat})) AS told_said"
        f" FROM {rows} WHERE telling = 1 AND {where} GROUP BY of_source, instance"
    )


def known_instances(past: Past, where: str) -> str:
    """The same of what expired with or before a batch."""
    return (
        "SELECT source AS of_source, id AS instance, first AS first_at, last AS last_at,"
        " last_beat AS beat_at, beats AS beat_n, slots AS beat_slots,"
        " (facts_at, version, os, os_version) AS told_fact, (environment_at, environment) AS told_said"
        f" FROM {latest('past_instances', past, where)}"
    )


def merged_instances(parts: str) -> str:
    """Each instance once, from several parts."""
    return (
        "SELECT of_source, instance, min(first_at) AS first_seen, max(last_at) AS last_seen,"
        " max(beat_at) AS last_beat_at, sum(beat_n) AS beat_count,"
        " groupUniqArrayArray(beat_slots) AS slot_set, max(told_fact) AS fact,"
        " max(told_said) AS said"
        f" FROM ({parts}) GROUP BY of_source, instance"
    )


def told_instances(past: Past, events: str, known: str) -> str:
    """The instances of which events that meet a condition tell, and those known that meet another."""
    return _told(past, told_of_instances(f"{past.there} AND {events}"), known)


def these_instances(past: Past, source: int, keys: Sequence[bytes], *, few: bool = False) -> str:
    """Those with some ids. Of a `few`, the row of each event that stays is found by a sort of their rows.

    FINAL takes two to ten times as long for that, because it reads the ids of the rows around them too.
    """
    mine = filled("source = ? AND {0} IN ?", [source, [*keys]])
    events, known = mine.format("who"), mine.format("id")
    rows = f"events FINAL PREWHERE {events}"
    if few:
        rows = f"(SELECT {_TELLING} FROM events PREWHERE {events} ORDER BY ver DESC LIMIT 1 BY source, id)"
    return _told(past, told_of_instances(past.there, rows), known)


def _told(past: Past, parts: str, known: str) -> str:
    if past.batch:
        parts += f" UNION ALL {known_instances(past, known)}"
    return f"({merged_instances(parts)})"


def instance_in(source: int, row: Row) -> Instance:
    """The instance in a row of WHOLE."""
    key, first, last, last_beat, beats, slots, facts_at, *facts, said_at, environment = row
    first_day = min(slots, default=0) // SLOTS_A_DAY
    bits = sum(1 << slot - first_day * SLOTS_A_DAY for slot in slots)
    seen = (first, last, last_beat or None, beats, first_day, bits)
    return Instance(*(source, key, *seen, facts_at or None, *facts, environment, said_at or None))
