"""What an expiry writes of an instance that another process forgets meanwhile: it may have read it before.

Each looks, after its last change, for what the other has written. So whichever is last takes it away. That an
instance was forgotten shows by its row in `instances`: it is not there, and no expiry has counted it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from collector.store.clickhouse.client import Client
from collector.store.clickhouse.cluster import catch_up
from collector.store.clickhouse.event_rows import LAST
from collector.store.clickhouse.mutations import AT_ONCE, delete_found, delete_ids, delete_rows
from collector.store.clickhouse.past import Past, gone_with, latest
from collector.store.clickhouse.tables import EVENTS, INSTANCES, PAST_INSTANCES, PAST_RUNS
from collector.store.clickhouse.text import filled

_NOT_THERE = f"NOT IN (SELECT source, id FROM {INSTANCES.name})"
_EVENT = EVENTS.names.split(", ")
_SOURCE, _ID, _WHO, _TELLING = map(_EVENT.index, ("source", "id", "who", "telling"))


def delete_what_was_written(client: Client, source: int, who: bytes, runs: Sequence[bytes]) -> bool:
    """Delete what an expiry has written of an instance and its runs; whether it wrote an event."""
    catch_up(client, "events", "past_instances", "past_runs")
    delete_found(client, PAST_INSTANCES.name, filled("source = ? AND id = ?", [source, who]))
    for start in range(0, len(runs), AT_ONCE):
        some = runs[start : start + AT_ONCE]
        delete_found(client, PAST_RUNS.name, filled("source = ? AND id IN ?", [source, some]))
    return delete_found(
        client, EVENTS.name, filled("source = ? AND who = ? AND ver = ?", [source, who, LAST])
    )


def drop_forgotten(client: Client, past: Past, done: Past) -> None:
    """Delete the rows that a batch has copied of instances that were forgotten, and of their runs.

    A run stays whose instance expired, now or with an earlier batch, because another one has told of it.
    """
    catch_up(client, INSTANCES.name)
    silent = "NOT IN (SELECT DISTINCT source, assumeNotNull(who) AS key FROM events WHERE who IS NOT NULL)"
    earlier = f"SELECT source, id FROM {PAST_RUNS.name} WHERE batch < {past.batch}"
    new = f"(source, id) NOT IN ({earlier}) AND (source, instance) NOT IN ({gone_with(past)})"
    for table, where, sure in (
        (PAST_INSTANCES, f"(source, id) {_NOT_THERE}", f"(source, id) {silent}"),
        (PAST_RUNS, f"(source, instance) {_NOT_THERE}", f"(source, instance) {silent} AND {new}"),
    ):
        found = f"SELECT source, id FROM {latest(table.name, done)} WHERE {where}"
        if not client.rows(f"{found} LIMIT 1"):
            continue
        while rows := client.rows(f"{found} AND {sure} ORDER BY source, id LIMIT {AT_ONCE}"):
            for source in sorted({source for source, _ in rows}):
                delete_ids(client, table.name, source, [key for of, key in rows if of == source])


def drop_forgotten_requests(client: Client, rows: Iterable[Sequence[Any]]) -> None:
    """Delete those of some requests without addresses whose instance was forgotten."""
    mine = [row for row in rows if row[_TELLING] and row[_WHO] is not None]
    for source in sorted({row[_SOURCE] for row in mine}):
        owners = {row[_WHO] for row in mine if row[_SOURCE] == source}
        for there in (
            "SELECT id FROM instances WHERE source = ? AND id IN ?",
            # It is known by its other events too, if its row is missing for any other reason.
            f"SELECT assumeNotNull(who) AS id FROM events WHERE source = ? AND who IN ? AND ver < {LAST}",
        ):
            if owners:
                catch_up(client, INSTANCES.name, EVENTS.name)
                owners -= {key for (key,) in client.rows(there, source, [*owners])}
        ids = [row[_ID] for row in mine if row[_SOURCE] == source and row[_WHO] in owners]
        if ids:
            delete_rows(client, EVENTS.name, f"source = ? AND id IN ? AND ver = {LAST}", source, ids)
