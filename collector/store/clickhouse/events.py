"""Single events: the latest, those of an instance, those of a run; and what each key and source added.

The ids of a list are looked up first, and then the texts of these alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from collector.base.events import BEAT
from collector.base.times import DAY_MS
from collector.store.clickhouse.event_rows import LAST, end_of, stored_events
from collector.store.clickhouse.number_cache import cached_for_all
from collector.store.clickhouse.part import ClickHousePart
from collector.store.clickhouse.text import filled
from collector.store.events import SourcedBody
from collector.store.usage import HOUR_MS
from collector.store.values import KeyUsage, PageEnd, StoredEvent
from collector.store.words import OTHER

# The list of event names covers this many days.
NAMED_DAYS = 91
# So many names are counted together, with so many days in all, the most frequent: strangers choose names.
MOST_NAMES, MOST_DAYS = 1000, 100_000
EXPORTED_AT_ONCE = 10_000
# What comes next in a list, and how it is sorted: the latest first, or the oldest.
_ORDERS = {False: ("<", "DESC"), True: (">", "ASC")}
BODIES_AT_ONCE = 1000
# So many more rows than events are looked up for a list, because some events may have two.
SPARE = 10


class EventQuestions(ClickHousePart):
    """What is asked of single events."""

    def sources_heard(self, sources: Iterable[int]) -> set[int]:
        wanted = list(sources)
        if not wanted:
            return set()
        sql = (
            "SELECT DISTINCT source FROM (SELECT source FROM events WHERE source IN ? GROUP BY source"
            " UNION ALL SELECT source FROM past_counters WHERE source IN ? GROUP BY source)"
        )
        return {source for (source,) in self._client.rows(sql, wanted, wanted)}

    def usage_since(self, hour: int) -> list[KeyUsage]:
        # PREWHERE: of what came earlier no other column is read, which takes a tenth of the time.
        sql = (
            f"SELECT assumeNotNull(wkey) AS of_key, intDiv(received, {HOUR_MS}) AS of_hour, count() AS n,"
            " sum(size) AS used FROM events FINAL PREWHERE received >= ? WHERE wkey IS NOT NULL"
            f" AND {self._past().there} GROUP BY of_key, of_hour"
        )
        return [KeyUsage(*row) for row in self._client.rows(sql, hour * HOUR_MS)]

    def latest_events(
        self, source: int, end: PageEnd, most: int, *, oldest_first: bool = False
    ) -> list[StoredEvent]:
        sign, way = _ORDERS[oldest_first]
        wanted = filled(f"seq {sign} ?", [_bounded(end[1])])
        found = self._found(source, wanted, f"seq {way}", most, lambda event: event.end[1:])
        return [replace(event, end=end_of(event)) for event in found]

    def events_named(
        self, source: int, name: str, end: PageEnd, most: int, *, oldest_first: bool = False
    ) -> list[StoredEvent]:
        return self._by_time(source, filled("name = ?", [name]), end, most, oldest_first=oldest_first)

    def events_of_instance(
        self, source: int, who: bytes, name: str, end: PageEnd, most: int, *, oldest_first: bool = False
    ) -> list[StoredEvent]:
        wanted = filled("who = ? AND name = ?", [who, name]) if name else filled("who = ?", [who])
        return self._by_time(source, wanted, end, most, oldest_first=oldest_first)

    def events_of_run(self, source: int, key: bytes, most: int) -> list[StoredEvent]:
        return self._found(source, filled("run = ?", [key]), "time ASC, seq ASC", most)

    def event_names(self, source: int, most: int) -> list[str]:
        # A copy is asked, because these are no numbers whose age is to be told.
        days = self.within(self.environment)._daily(source)  # noqa: SLF001 - of the same class
        last = max((day for counts in days.values() for day in counts), default=0)
        often = {name: _between(days[name], last - NAMED_DAYS + 1, last) for name in days}
        named = [name for name, n in often.items() if n and name not in ("", OTHER)]
        return sorted(named, key=lambda name: (-often[name], name))[:most]

    def count_by_name(self, source: int, first: int, last: int, most: int) -> list[tuple[str, int]]:
        often = {name: _between(counts, first, last) for name, counts in self._daily(source).items() if name}
        found = [(name, n) for name, n in often.items() if n]
        return sorted(found, key=lambda item: (-item[1], item[0]))[:most]

    def count_by_day(self, source: int, name: str, first: int, last: int) -> dict[int, int]:
        found = self._daily(source)
        days = found[name] if name in found else self._daily_of(source, name)
        return {day: n for day, n in days.items() if first <= day <= last}

    @cached_for_all
    def _daily(self, source: int) -> dict[str, dict[int, int]]:
        """How many events there are of each of the most frequent names, by day."""
        past, expired = self._past(), (BEAT, OTHER, "")  # what has expired has no other name
        sql = (
            "SELECT name, groupArray(day) AS days, groupArray(n) AS counts FROM"
            f" (SELECT name, intDiv(time, {DAY_MS}) AS day, count() AS n FROM events FINAL"
            f" WHERE source = ? AND {past.there} GROUP BY name, day)"
            " GROUP BY name ORDER BY name IN ? DESC, sum(n) DESC, name LIMIT ?"
        )
        found: dict[str, dict[int, int]] = {}
        left = MOST_DAYS
        for name, days, counts in self._client.rows(sql, source, expired, MOST_NAMES):
            left -= len(days)
            if left < 0 and name not in expired:
                break
            found[name] = dict(zip(days, counts, strict=True))
        for day, _, name, n in self._counters(past, source, "daily"):
            of_name = found.setdefault(name, {})
            of_name[day] = of_name.get(day, 0) + n
        return found

    @cached_for_all
    def _daily_of(self, source: int, name: str) -> dict[int, int]:
        """How many events there are of another name, by day."""
        sql = (
            f"SELECT intDiv(time, {DAY_MS}) AS day, count() AS n FROM events FINAL"
            f" WHERE source = ? AND name = ? AND {self._past().there} GROUP BY day"
        )
        return dict(self._client.rows(sql, source, name))

    def count_all_by_day(self, source: int) -> dict[int, int]:
        past = self._past()
        sql = (
            f"SELECT intDiv(time, {DAY_MS}) AS day, count() AS n FROM events FINAL"
            f" WHERE source = ? AND {past.there} GROUP BY day"
        )
        days: Counter[int] = Counter(dict(self._client.rows(sql, source)))
        for day, _, _, n in self._counters(past, source, "daily"):
            days[day] += n
        return dict(days)

    def export(self) -> Iterator[list[SourcedBody]]:
        there, last = self._past().there, 0
        sql = f"SELECT source, id, seq FROM events WHERE seq > ? AND {there} ORDER BY seq LIMIT ?"
        while rows := self._client.rows(sql, last, EXPORTED_AT_ONCE):
            # Of an event that two collectors took at once, the row that stays says where it stands.
            first, last = last, rows[-1][2]
            keys: dict[int, set[bytes]] = {}
            for source, key, _ in rows:
                keys.setdefault(source, set()).add(key)
            found = [
                (event.end[1], source, event.body)
                for source in keys
                for event in stored_events(self._client, source, keys[source])
            ]
            bodies = [(source, body) for seq, source, body in sorted(found) if first < seq <= last]
            yield from (
                bodies[start : start + BODIES_AT_ONCE] for start in range(0, len(bodies), BODIES_AT_ONCE)
            )

    def _by_time(
        self, source: int, wanted: str, end: PageEnd, most: int, *, oldest_first: bool
    ) -> list[StoredEvent]:
        at, number = end
        sign, way = _ORDERS[oldest_first]
        beyond = filled(f"(time {sign} ? OR (time = ? AND seq {sign} ?))", [at, at, _bounded(number)])
        return self._found(source, f"{wanted} AND {beyond}", f"time {way}, seq {way}", most)

    def _found(
        self,
        source: int,
        wanted: str,
        order: str,
        most: int,
        place: Callable[[StoredEvent], tuple[int, ...]] = lambda event: event.end,
    ) -> list[StoredEvent]:
        """The first events that meet a condition in an order by some numbers, `place`.

        Their ids are looked up without FINAL, which reads every row. So a row may be among them that does not
        stay, because another collector took the same event a moment before. Its event stands elsewhere.
        """
        where, limit = f"{wanted} AND {self._past().there}", most + SPARE
        numbers = ", ".join(one.split(" ")[0] for one in order.split(", "))
        sql = f"SELECT id, {numbers} FROM events WHERE source = ? AND {where} ORDER BY {order} LIMIT ?"
        latest_first = order.endswith("DESC")
        while True:
            rows = self._client.rows(sql, source, limit)
            found = stored_events(self._client, source, {row[0] for row in rows}, where)
            found.sort(key=place, reverse=latest_first)
            if len(rows) < limit:
                return found[:most]
            end = rows[-1][1:]
            sure = [one for one in found if (place(one) >= end if latest_first else place(one) <= end)]
            if len(sure) >= most:
                return sure[:most]
            limit *= 2


def _between(days: Mapping[int, int], first: int, last: int) -> int:
    """How many there are from one day to another."""
    return sum(n for day, n in days.items() if first <= day <= last)


def _bounded(number: int) -> int:
    """A number that a column can be compared with."""
    return min(number, LAST)
