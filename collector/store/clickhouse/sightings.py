"""The table `instances`: one row an instance, into which ClickHouse merges what events say of it.

A repetition changes nothing in it: each column is the least, the greatest or the set of what was inserted.
Whoever keeps an event inserts what it says of its instance too, before it is acknowledged. So the numbers of
a fleet are read here, and not from its heartbeats. A row can be made anew from the events at any time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from collector.store.clickhouse.client import Client
from collector.store.clickhouse.cluster import catch_up
from collector.store.clickhouse.mutations import AT_ONCE, delete_rows
from collector.store.clickhouse.past import Past, gone_with
from collector.store.clickhouse.states import ENVIRONMENTS_FIT, FACT_BASE
from collector.store.clickhouse.tables import INSTANCES
from collector.store.clickhouse.text import filled
from collector.store.clickhouse.told import these_instances, told_instances
from collector.store.spans import SLOTS_A_DAY

_INSERT = f"INSERT INTO instances ({INSTANCES.names})"


def fleet(past: Past, source: int, *, ready: bool, where: str = "1 = 1") -> str:
    """All instances of a source that meet a condition on `instance` and `environment`.

    From their events as long as older ones are not in the table yet.
    """
    found = _kept(past, f"source = {source}")
    if not ready:
        found = _as_kept(told_instances(past, f"source = {source}", f"source = {source}"))
    return (
        f"(SELECT instance, first_seen, last_seen, last_beat_at, days, facts,"
        f" saying % {ENVIRONMENTS_FIT} AS environment FROM ({found}) WHERE {where})"
    )


def fill_instances(client: Client, past: Past, where: str) -> None:
    """Insert what there is of those whose `key` meets a condition, from their events."""
    told = told_instances(past, where.format("assumeNotNull(who)"), where.format("id"))
    client.run(f"{_INSERT} {_states(told)}")


def renew_instances(client: Client, past: Past, source: int, keys: Sequence[bytes]) -> None:
    """Make the rows of some instances anew, from the events that are left.

    An event that is kept meanwhile is either read here, or what it says is inserted after the deletion.
    """
    for start in range(0, len(keys), AT_ONCE):
        some = keys[start : start + AT_ONCE]
        delete_rows(client, INSTANCES.name, "source = ? AND id IN ?", source, some)
        catch_up(client, "events", "past_instances")  # no event may be missing where they are read
        client.run(f"{_INSERT} {_states(these_instances(past, source, some))}")


def renew_gone_instances(client: Client, past: Past) -> None:
    """The same for those that went with a batch: some may be back."""
    gone: defaultdict[int, list[bytes]] = defaultdict(list)
    for source, key in client.rows(gone_with(past)):
        gone[source].append(key)
    for source, keys in gone.items():
        renew_instances(client, past, source, keys)


def wrong_instances(client: Client, past: Past, where: str) -> dict[int, list[bytes]]:
    """Those whose `key` meets a condition, and whose row is not what the events say; by source."""
    told = told_instances(past, where.format("assumeNotNull(who)"), where.format("id"))
    found: defaultdict[int, list[bytes]] = defaultdict(list)
    for source, key in client.rows(_differing(told, _kept(past, f"source > 0 AND {where.format('id')}"))):
        found[source].append(key)
    return found


def still_wrong(client: Client, past: Past, source: int, keys: Sequence[bytes]) -> list[bytes]:
    """Those of some instances."""
    found: list[bytes] = []
    for start in range(0, len(keys), AT_ONCE):
        some = keys[start : start + AT_ONCE]
        kept = _kept(past, filled("source = ? AND id IN ?", [source, some]))
        found += [key for _, key in client.rows(_differing(these_instances(past, source, some), kept))]
    return found


def _kept(past: Past, where: str) -> str:
    """The rows of the table. As long as a batch is not done, those that went with it are still there."""
    hidden = "" if past.done else f" AND (source, id) NOT IN ({gone_with(past)})"
    return (
        "SELECT source AS of_source, id AS instance, finalizeAggregation(first) AS first_seen,"
        " finalizeAggregation(last) AS last_seen, finalizeAggregation(last_beat) AS last_beat_at,"
        " finalizeAggregation(said) AS saying, finalizeAggregation(fact) AS facts,"
        f" finalizeAggregation(day_set) AS days FROM instances FINAL WHERE {where}{hidden}"
    )


def _as_kept(told: str) -> str:
    """The same, of what is told of instances."""
    words = f"concat(toString({FACT_BASE} + fact.1), '\\0', fact.2, '\\0', fact.3, '\\0', fact.4)"
    return (
        f"SELECT of_source, instance, first_seen, last_seen, last_beat_at,"
        f" toInt64(said.1 * {ENVIRONMENTS_FIT} + said.2) AS saying, if(fact.1 > 0, {words}, '') AS facts,"
        " arrayReduce('groupUniqArray', arrayMap(s ->"
        f" toUInt32(intDiv(s, {SLOTS_A_DAY})), slot_set)) AS days FROM {told}"
    )


def _states(told: str) -> str:
    """The rows that they are in the table."""
    some = "arrayReduce('maxState', arrayFilter(x -> x > 0, [{0}])) AS {0}_s".format
    return (
        "SELECT of_source, instance, arrayReduce('minState', [first_seen]) AS first_s,"
        f" {some('last_seen')}, {some('last_beat_at')}, {some('saying')},"
        " arrayReduce('maxState', arrayFilter(x -> x <> '', [facts])) AS facts_s,"
        f" arrayReduce('groupUniqArrayState', days) AS days_s FROM ({_as_kept(told)})"
    )


def _differing(told: str, kept: str) -> str:
    """The instances that are in one of the two alone, or not alike."""
    return (
        "SELECT of_source, instance FROM"
        f" ({_in_a_line(_as_kept(told))} UNION ALL {_in_a_line(kept)})"
        " GROUP BY of_source, instance HAVING count() <> 2 OR min(line) <> max(line)"
    )


def _in_a_line(rows: str) -> str:
    numbers = ("first_seen", "last_seen", "last_beat_at", "saying", "arraySort(days)")
    line = ", ' ', ".join(f"toString({one})" for one in numbers)
    return f"SELECT of_source, instance, concat({line}, ' ', facts) AS line FROM ({rows})"
