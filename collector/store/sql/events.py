"""Single events: the latest, those of an instance, those of a run; and what each key and source added."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from collector.base.events import BEAT
from collector.store.database import Database
from collector.store.sql.beats import next_beats, stored_beat
from collector.store.sql.folding import fold_little
from collector.store.sql.instance_beats import LAST, InstanceBeats
from collector.store.sql.part import SqlPart
from collector.store.values import KeyUsage, PageEnd, StoredEvent

# Other events of an instance with a name are searched among this many of its latest.
OTHERS_SEARCHED = 5000

# The list of event names covers this many days; the URL may contain any other name.
NAMED_DAYS = 91

# What comes next in a list, and how it is sorted: the latest first, or the oldest.
_ORDERS = {False: ("<", "DESC"), True: (">", "ASC")}
_EVENT = "seq, received, time, type, name, who, run, body"


class EventQuestions(SqlPart):
    """What is asked of single events."""

    def sources_heard(self, sources: Iterable[int]) -> set[int]:
        wanted = list(sources)
        if not wanted:
            return set()
        sql = (
            f"SELECT column1 FROM (VALUES {', '.join(['(?)'] * len(wanted))}) AS wanted"
            " WHERE EXISTS (SELECT 1 FROM daily d WHERE d.source = wanted.column1)"
            # Those that are not counted yet.
            " OR EXISTS (SELECT 1 FROM events e WHERE e.source = wanted.column1)"
            " OR EXISTS (SELECT 1 FROM beat_days b WHERE b.source = wanted.column1)"
        )
        return {source for (source,) in self._counted(sql, *wanted)}

    def usage_since(self, hour: int) -> list[KeyUsage]:
        sql = "SELECT key, hour, SUM(events), SUM(bytes) FROM usage WHERE hour >= ? GROUP BY key, hour"
        return [KeyUsage(*map(int, row)) for row in self._all(sql, hour)]

    def latest_events(
        self, source: int, end: PageEnd, most: int, *, oldest_first: bool = False
    ) -> list[StoredEvent]:
        seq, number = end
        sign, way = _ORDERS[oldest_first]
        sql = f"SELECT {_EVENT} FROM events WHERE source = ? AND seq {sign} ? ORDER BY seq {way} LIMIT ?"
        others = deque(self._all(sql, source, seq, most))
        beats = deque(self._beats(source, (0, number), most, oldest_first=oldest_first))
        found: list[StoredEvent] = []
        while (others or beats) and len(found) < most:
            # Of two at once, the heartbeat is the older one.
            if not beats or (others and (others[0][1] >= beats[0].end[0]) != oldest_first):
                event = _event(others.popleft())
                seq = event.end[1]
            else:
                event = beats.popleft()
                number = event.end[1]
            found.append(replace(event, end=(seq, number)))
        return found

    def events_named(
        self, source: int, name: str, end: PageEnd, most: int, *, oldest_first: bool = False
    ) -> list[StoredEvent]:
        sign, way = _ORDERS[oldest_first]
        sql = (
            f"SELECT {_EVENT} FROM events WHERE source = ? AND name = ? AND (time, seq) {sign} (?, ?)"
            f" ORDER BY time {way}, seq {way} LIMIT ?"
        )
        found = [_event(row) for row in self._all(sql, source, name, *_bounded(end), most)]
        if name == BEAT:
            found += self._beats(source, end, most, oldest_first=oldest_first)
        return _sorted(found, most, oldest_first=oldest_first)

    def events_of_instance(
        self, source: int, who: bytes, name: str, end: PageEnd, most: int, *, oldest_first: bool = False
    ) -> list[StoredEvent]:
        found: list[StoredEvent] = []
        if name != BEAT:
            where = "source = ? AND who = ? AND name <> 'Instance Active'"
            searched, wanted = (OTHERS_SEARCHED, {"name": name}) if name else (most, {})
            here = (_ORDERS[oldest_first], where, (source, who), _bounded(end))
            found += _search(self._database, *here, searched, wanted, most)
        if name in ("", BEAT):
            fold_little(self._database)  # the slots of its heartbeats
            beats = InstanceBeats(self._database, source, who, end, oldest_first=oldest_first)
            beats.find(most)
            since, until = beats.searched
            found = [event for event in found if since <= event.time < until]
            found += self._numbered(beats.wide)
            found += [stored_beat(self._shapes, day, row) for day, row in beats.narrow]
        return _sorted(found, most, oldest_first=oldest_first)

    def _numbered(self, numbers: list[int]) -> list[StoredEvent]:
        if not numbers:
            return []
        sql = f"SELECT {_EVENT} FROM events WHERE seq IN ({', '.join('?' * len(numbers))})"
        return [_event(row) for row in self._all(sql, *numbers)]

    def _beats(self, source: int, end: PageEnd, most: int, *, oldest_first: bool) -> list[StoredEvent]:
        beats = next_beats(self._database, source, end, most, oldest_first=oldest_first)
        return [stored_beat(self._shapes, day, row) for day, row in beats]

    def events_of_run(self, source: int, key: bytes, most: int) -> list[StoredEvent]:
        sql = f"SELECT {_EVENT} FROM events WHERE source = ? AND run = ? ORDER BY time, seq LIMIT ?"
        return [_event(row) for row in self._all(sql, source, key, most)]

    def event_names(self, source: int, most: int) -> list[str]:
        sql = (
            "SELECT name FROM daily WHERE source = ? AND name NOT IN ('', '(other)')"
            f" AND day > (SELECT MAX(day) FROM daily WHERE source = ?) - {NAMED_DAYS}"
            " GROUP BY name ORDER BY SUM(n) DESC, name LIMIT ?"
        )
        return [name for (name,) in self._counted(sql, source, source, most)]

    def count_by_name(self, source: int, first: int, last: int, most: int) -> list[tuple[str, int]]:
        sql = (
            "SELECT name, SUM(n) FROM daily WHERE source = ? AND day BETWEEN ? AND ? AND name <> ''"
            " GROUP BY name HAVING SUM(n) > 0 ORDER BY 2 DESC, 1 LIMIT ?"
        )
        return [(name, int(n)) for name, n in self._counted(sql, source, first, last, most)]

    def count_by_day(self, source: int, name: str, first: int, last: int) -> dict[int, int]:
        sql = (
            "SELECT day, SUM(n) FROM daily WHERE source = ? AND day BETWEEN ? AND ? AND name = ?"
            " GROUP BY day HAVING SUM(n) > 0"
        )
        return {day: int(n) for day, n in self._counted(sql, source, first, last, name)}

    def count_all_by_day(self, source: int) -> dict[int, int]:
        sql = "SELECT day, SUM(n) FROM daily WHERE source = ? GROUP BY day HAVING SUM(n) > 0"
        return {day: int(n) for day, n in self._counted(sql, source)}


def _search(
    database: Database,
    order: tuple[str, str],
    where: str,
    values: tuple[Any, ...],
    end: PageEnd,
    searched: int,
    wanted: dict[str, Any],
    most: int,
) -> list[StoredEvent]:
    """The next events with the wanted values, among so many; bodies are read of those alone."""
    sign, way = order
    near = (
        f"(SELECT seq, time, name, who FROM events WHERE {where} AND (time, seq) {sign} (?, ?)"
        f" ORDER BY time {way}, seq {way} LIMIT ?) AS near"
    )
    chosen = " AND ".join(f"{column} = ?" for column in wanted) or "1 = 1"
    sql = (
        f"SELECT {_EVENT} FROM events WHERE seq IN"
        f" (SELECT seq FROM {near} WHERE {chosen} ORDER BY time {way}, seq {way} LIMIT ?)"
    )
    return [_event(row) for row in database.all(sql, *values, *end, searched, *wanted.values(), most)]


def _sorted(found: list[StoredEvent], most: int, *, oldest_first: bool) -> list[StoredEvent]:
    return sorted(found, key=lambda event: event.end, reverse=not oldest_first)[:most]


def _bounded(end: PageEnd) -> PageEnd:
    """Numbers that a column can be compared with."""
    at, number = end
    return at, min(number, LAST)


def _event(row: tuple[Any, ...]) -> StoredEvent:
    seq, received, time, kind, name, who, run, body = row
    return StoredEvent((time, seq), received, time, kind, name, _bytes(who), _bytes(run), body)


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
