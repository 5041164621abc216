"""Instances: active ones by day, lists by state, and one of them. Only the last is read from its events."""

from __future__ import annotations

from collections import Counter

from collector.base.environments import environment_number
from collector.base.times import DAY_MS
from collector.store.clickhouse.mutations import delete_rows
from collector.store.clickhouse.number_cache import cached_if_large
from collector.store.clickhouse.part import ClickHousePart
from collector.store.clickhouse.past import Past
from collector.store.clickhouse.states import FACT_WORDS
from collector.store.clickhouse.tables import CENSUSES
from collector.store.clickhouse.text import filled
from collector.store.clickhouse.told import WHOLE, instance_in, these_instances
from collector.store.fleet import ACTIVE, GONE_MS, SILENT_MS, Census, Instance, InstanceFilter, InstancesEnd
from collector.store.packed_census import pack_census, unpack_census
from collector.store.rows import ESTABLISHED_MS, system_name
from collector.store.spans import SPANS
from collector.store.stretch import stretch_of
from collector.store.words import OTHER, told_alike

# Combinations of version and system that are read; the rest counts as OTHER.
MOST_SYSTEMS = 1000

LASTING = f"(last_seen - first_seen > {ESTABLISHED_MS})"
_WEEK = "intDiv(intDiv({0}, 86400000) + 3, 7)".format
# Days and weeks with a heartbeat, each once.
_DAYS = "arraySort(arrayMap(d -> toInt64(d), days))"
_WEEKS = "arrayReduce('groupUniqArray', arrayMap(d -> intDiv(d + 3, 7), days))"
# A fact of an instance: the second is its version, then come its system and the version of that.
_FACT = "splitByChar('\\0', facts)[{}]".format
# As `system_name` writes it.
SYSTEM = "replaceRegexpAll(concat({}, ' ', {}), '^ +| +$', '')"
NEVER = 2**40  # a day so far away that no span reaches it


class InstanceQuestions(ClickHousePart):
    """What is asked of instances."""

    def census(self, source: int, now: int) -> Census:
        census, all_of = Census(now), self._fleet(self._past(), source)
        self._count_states(all_of, census)
        self._count_systems(all_of, census)
        for column, counter in (("first_seen", census.first_days), ("last_seen", census.last_days)):
            days = f"SELECT intDiv({column}, {DAY_MS}) AS day, count() AS n FROM {all_of} WHERE {LASTING}"
            counter.update(dict(self._client.rows(f"{days} GROUP BY day")))
        return census

    def keep_census(self, source: int, census: Census | None) -> None:
        if census is None:
            delete_rows(self._client, "censuses", "source = ?", source)
        else:
            row = (source, census.at, pack_census(census).hex())
            self._client.insert(CENSUSES, [row])

    def kept_censuses(self) -> dict[int, Census]:
        found: dict[int, Census] = {}
        for source, at, packed in self._client.rows("SELECT source, at, packed FROM censuses FINAL"):
            if census := unpack_census(at, bytes.fromhex(packed)):
                found[source] = census
        return found

    def _count_states(self, all_of: str, census: Census) -> None:
        now = census.at
        spans = ", ".join(f"countIf(last_beat_at > {now - span * DAY_MS}) AS in_{span}" for span in SPANS)
        sql = (
            f"SELECT {LASTING} AS lasting, multiIf(last_beat_at = 0, 'never', last_beat_at <= ?, 'gone',"
            f" last_beat_at <= ?, 'silent', 'beating') AS state, count() AS n, {spans}"
            f" FROM {all_of} GROUP BY lasting, state"
        )
        for lasting, state, n, *active in self._client.rows(sql, now - GONE_MS, now - SILENT_MS):
            established = bool(lasting)
            census.states[state, established] += n
            for span, alive in zip(SPANS, active, strict=True):
                census.active[span, established] += alive

    def _count_systems(self, all_of: str, census: Census) -> None:
        sql = (
            f"SELECT substring(facts, {FACT_WORDS}) AS told, count() AS n"
            f" FROM {all_of} WHERE {LASTING} AND last_beat_at > ?"
            " GROUP BY told ORDER BY n DESC, told LIMIT ?"
        )
        rest = census.active[SPANS[-1], True]
        for told, n in self._client.rows(sql, census.at - SPANS[-1] * DAY_MS, MOST_SYSTEMS):
            version, *system = told.split("\0") if told else ("", "", "")
            census.versions[version] += n
            census.systems[system_name(*system)] += n
            rest -= n
        if rest > 0:
            census.versions[OTHER] += rest
            census.systems[OTHER] += rest

    def active_by_day(self, source: int, span: int, first: int, last: int) -> dict[int, tuple[int, int]]:
        changes: Counter[tuple[int, int]] = Counter()
        for of_span, day, established, n in self._changes(source):
            if of_span == span and day <= last:
                changes[max(day, first), established] += n
        found: dict[int, tuple[int, int]] = {}
        short = lasting = 0
        for day in range(first, last + 1):
            short, lasting = short + changes[day, 0], lasting + changes[day, 1]
            found[day] = (short, lasting)
        return found

    @cached_if_large
    def _changes(self, source: int) -> list[tuple[int, int, int, int]]:
        """By span, day and whether they are established: how many more instances are active.

        Those that have expired are among them: each instance is on one side of the same batch.
        """
        past = self._past()
        rows = self._client.rows(_edges(self._fleet(past, source)))
        changes = [(span, day, established, n) for span, day, established, n in rows]
        for span in SPANS:
            for day, standing, _, n in self._counters(past, source, f"active {span}"):
                if standing // 2 in self._environments:
                    changes.append((span, day, standing % 2, n))
        return changes

    @cached_if_large
    def new_instances_by_week(self, source: int, first_week: int) -> dict[int, int]:
        past = self._past()
        sql = (
            f"SELECT {_WEEK('first_seen')} AS week, count() AS n FROM {self._fleet(past, source)}"
            f" WHERE {LASTING} GROUP BY week"
        )
        weeks: Counter[int] = Counter(dict(self._client.rows(sql)))
        for week, standing, _, n in self._counters(past, source, "cohort"):
            if standing // 2 in self._environments:
                weeks[week] += n * (standing % 2)
        return {week: n for week, n in weeks.items() if week >= first_week and n > 0}

    @cached_if_large
    def retention_by_week(self, source: int, first_week: int) -> dict[tuple[int, int], int]:
        past = self._past()
        sql = (
            f"SELECT cohort, week, count() AS n FROM (SELECT {_WEEK('first_seen')} AS cohort,"
            f" arrayJoin({_WEEKS}) AS week FROM {self._fleet(past, source)} WHERE {LASTING})"
            " GROUP BY cohort, week"
        )
        weeks: Counter[tuple[int, int]] = Counter()
        for cohort, week, n in self._client.rows(sql):
            weeks[cohort, week] += n
        for cohort, week, environment, n in self._counters(past, source, "retention"):
            if environment_number(environment) in self._environments:
                weeks[cohort, week] += n
        return {key: n for key, n in weeks.items() if key[0] >= first_week and n > 0}

    def list_instances(
        self,
        source: int,
        wanted: InstanceFilter,
        first: int,
        last: int,
        now: int,
        before: InstancesEnd,
        most: int,
        after: InstancesEnd | None = None,
    ) -> tuple[list[Instance], InstancesEnd | None]:
        past = self._past()
        conditions = [_state(wanted.state, first * DAY_MS, (last + 1) * DAY_MS, now)]
        for column, value in ((_FACT(2), wanted.version), (SYSTEM.format(_FACT(3), _FACT(4)), wanted.system)):
            if value is not None:
                conditions.append(filled(f"{column} IN ?", [told_alike(value)]))
        part = stretch_of(0, before, after)
        sql = (
            f"SELECT instance, last_seen FROM {self._fleet(past, source)} WHERE {' AND '.join(conditions)}"
            f" AND {part.where('last_seen', 'instance')} {part.order('last_seen', 'instance')} LIMIT ?"
        )
        rows = self._client.rows(sql, *part.values, most + 1)
        keys = [key for key, _ in rows[:most]]
        found = {one.id: one for one in self._instances(past, source, keys)}
        # One that was deleted in between is left out.
        listed = [found[key] for key in keys if key in found]
        return listed, (rows[most - 1][1], rows[most - 1][0]) if len(rows) > most else None

    def _fleet(self, past: Past, source: int) -> str:
        """All instances of a source in the environment."""
        return self._instances_in(past, source, self._here)

    def find_instance(self, source: int, key: bytes) -> Instance | None:
        return next(iter(self._instances(self._past(), source, [key])), None)

    def instances_between(self, source: int, low: bytes, high: bytes, most: int) -> list[bytes]:
        between = filled("instance >= ? AND instance <= ?", [low, high])
        found = self._instances_in(self._past(), source, between)
        sql = f"SELECT instance FROM {found} ORDER BY instance LIMIT ?"
        return [key for (key,) in self._client.rows(sql, most)]

    def _instances(self, past: Past, source: int, keys: list[bytes]) -> list[Instance]:
        if not keys:
            return []
        sql = f"SELECT {WHOLE} FROM {these_instances(past, source, keys, few=True)}"
        return [instance_in(source, row) for row in self._client.rows(sql)]


def _edges(all_of: str) -> str:
    """The days on which instances come to life, and those on which they no longer count, of each span."""
    before = f"arrayPushFront(arrayPopBack(days), toInt64(-{NEVER}))"
    after = f"arrayPushBack(arrayPopFront(days), toInt64({NEVER}))"
    edges = [
        f"arrayMap(d -> ({span}, d, 1), arrayFilter((d, p) -> d - p > {span}, days, {before})),"
        f" arrayMap(d -> ({span}, d + {span}, -1), arrayFilter((d, n) -> n - d > {span}, days, {after}))"
        for span in SPANS
    ]
    return (
        "SELECT edge.1 AS span, edge.2 AS day, lasting, sum(edge.3) AS n"
        f" FROM (SELECT lasting, arrayJoin(arrayConcat({', '.join(edges)})) AS edge"
        f" FROM (SELECT {LASTING} AS lasting, {_DAYS} AS days FROM {all_of} WHERE last_beat_at > 0))"
        " GROUP BY span, day, lasting"
    )


def _state(state: str, since: int, until: int, now: int) -> str:
    """The condition that an instance is on the list of a state."""
    silent, gone = now - SILENT_MS, now - GONE_MS
    conditions = {
        "beating": f"last_beat_at > {silent}",
        **{name: f"last_beat_at > {now - days * DAY_MS}" for days, name in ACTIVE.items()},
        "silent": f"last_beat_at <= {silent} AND last_beat_at > {gone}",
        "gone": f"last_beat_at <= {gone} AND last_beat_at > 0",
        "never": "last_beat_at = 0",
        "new": f"first_seen >= {since} AND first_seen < {until}",
        "returning": f"first_seen < {since} AND last_seen >= {since}",
    }
    if state in conditions:
        return f"{LASTING} AND {conditions[state]}"
    return f"NOT {LASTING}" if state == "short-lived" else "1 = 1"
