"""What expires, summed up: by instance and run while one of their events is left, then without their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from collector.base.environments import ENVIRONMENTS
from collector.base.events import BEAT
from collector.base.times import DAY_MS
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.past import BASE, GONE, Past, latest
from collector.store.clickhouse.runs import known_runs, merged_runs, run_in, told_of_runs
from collector.store.clickhouse.tables import COUNTERS, PAST_INSTANCES, PAST_RUNS, ClickHouseTable
from collector.store.clickhouse.text import Row, filled
from collector.store.clickhouse.told import instance_in, known_instances, merged_instances, told_of_instances
from collector.store.rollups import Ledger, count_instance, count_run
from collector.store.scope import environment_in, is_total
from collector.store.words import OTHER

READ_AT_ONCE = 5000


def sum_up(client: Client, current: Past, past: Past) -> None:
    """Write what the events that expire say, with what is known already of their instances and runs."""
    batch = f"toUInt64({past.batch}) AS of_batch"
    parts = f"{told_of_instances(past.expired)} UNION ALL {known_instances(current, _among('who', past))}"
    client.run(
        f"INSERT INTO past_instances ({PAST_INSTANCES.names}) SELECT {batch}, of_source, instance,"
        f" toUInt8({BASE}) AS v, first_seen, last_seen, last_beat_at, beat_count, slot_set,"
        f" fact.1 AS f1, fact.2 AS f2, fact.3 AS f3, fact.4 AS f4,"
        f" said.1 AS f5, said.2 AS f6 FROM ({merged_instances(parts)})"
    )
    parts = f"{told_of_runs(past.expired)} UNION ALL {known_runs(current, _among('run', past))}"
    client.run(
        f"INSERT INTO past_runs ({PAST_RUNS.names}) SELECT {batch}, of_source, run, toUInt8({BASE}) AS v,"
        " owner,"
        " system.1 AS s1, system.2 AS s2, system.3 AS s3, started_at, ending.1 AS e1, ending.2 AS e2,"
        f" ending.3 AS e3, request.1 AS r1, request.2 AS r2, environment FROM ({merged_runs(parts)})"
    )
    names = filled("multiIf(name IN (?, ''), name, ?) AS counted", [BEAT, OTHER])
    client.run(
        f"INSERT INTO past_counters ({COUNTERS.names}) SELECT {batch}, source, 'daily' AS of_kind,"
        f" intDiv(time, {DAY_MS}) AS day, toInt64(0) AS zero, {names}, toInt64(count()) AS number"
        f" FROM events FINAL WHERE {past.expired} GROUP BY source, day, counted"
    )


def count_gone_instances(client: Client, past: Past, before: int) -> None:
    """Count instances that were last seen before a time, and that no event is left of."""
    ledger = Ledger()
    where = f"last < {before} AND {_without_event('who', past)}"
    for rows in _pieces(client, PAST_INSTANCES, past, where):
        for _, source, key, _, *rest in rows:
            count_instance(ledger, instance_in(source, (key, *rest)), 1)
        client.insert(PAST_INSTANCES, _as_gone(rows, past))
    _write(client, past, _instance_counters(ledger))


def count_gone_runs(client: Client, past: Past) -> None:
    """Count runs that no event is left of, without the words that they are counted by."""
    ledger = Ledger()
    for rows in _pieces(client, PAST_RUNS, past, _without_event("run", past)):
        for _, source, key, _, *rest in rows:
            count_run(ledger, run_in(source, (key, *rest)), 1)
        client.insert(PAST_RUNS, _as_gone(rows, past))
    outcomes = ledger.outcomes.items()
    _write(
        client,
        past,
        (
            (source, "outcome", day, environment_in(kind), outcome, n)
            for (source, kind, day, _, outcome), n in outcomes
            if is_total(kind)
        ),
    )


def _among(column: str, past: Past) -> str:
    """The condition that an event of an instance or a run expires."""
    return f"(source, id) IN ({_ids_in(column, past.expired)})"


def _without_event(column: str, past: Past) -> str:
    """The condition that no event of an instance or a run is left."""
    return f"(source, id) NOT IN ({_ids_in(column, past.there)})"


def _ids_in(column: str, where: str) -> str:
    # DISTINCT: in a cluster one server gathers the list, repeated ids and all, and sends it to the others.
    ids = f"SELECT DISTINCT source, assumeNotNull({column}) AS key FROM events"
    return f"{ids} WHERE {column} IS NOT NULL AND {where}"


def _pieces(client: Client, table: ClickHouseTable, past: Past, where: str) -> Iterator[list[Row]]:
    """The rows that count and meet a condition, some at a time."""
    after = "1 = 1"
    rows_there = f"SELECT {table.names} FROM {latest(table.name, past)} WHERE {where}"
    while rows := client.rows(f"{rows_there} AND {after} ORDER BY source, id LIMIT ?", READ_AT_ONCE):
        yield rows
        source, key = rows[-1][1:3]
        after = filled("(source > ? OR (source = ? AND id > ?))", [source, source, key])


def _as_gone(rows: Iterable[Row], past: Past) -> list[Row]:
    return [(past.batch, source, key, GONE, *rest) for _, source, key, _, *rest in rows]


def _instance_counters(ledger: Ledger) -> Iterator[tuple[Any, ...]]:
    for (source, day, span, standing), n in ledger.active.items():
        yield source, f"active {span}", day, standing, "", n
    for (source, cohort, standing), n in ledger.cohorts.items():
        yield source, "cohort", cohort, standing, "", n
    for (source, cohort, standing, week), n in ledger.retention.items():
        if standing % 2:
            environment = ENVIRONMENTS[standing // 2] if standing // 2 else ""
            yield source, "retention", cohort, week, environment, n


def _write(client: Client, past: Past, counters: Iterable[tuple[Any, ...]]) -> None:
    client.insert(COUNTERS, [(past.batch, *row) for row in counters if row[-1]])
