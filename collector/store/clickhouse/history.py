"""The history of a fleet, read in pieces from the instances, their runs and their upgrades."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict

from collector.base.events import UPGRADED
from collector.base.times import DAY_MS
from collector.store.clickhouse.instances import LASTING
from collector.store.clickhouse.part import ClickHousePart
from collector.store.clickhouse.past import Past
from collector.store.clickhouse.runs import BEGAN, all_runs
from collector.store.clickhouse.states import read_facts
from collector.store.history import (
    MOST_UPGRADES,
    FleetHistory,
    Installed,
    Upgrades,
    latest_upgrades,
    with_upgrades,
)
from collector.store.rows import system_name
from collector.store.spans import SLOTS_A_DAY

# About so many instances are read at once. Each piece reads the ids of all.
PIECE = 20_000
# About so many bytes of the JSON of upgrades are read at once.
PIECE_BYTES = 64 << 20

# The ids of the upgrades that count.
_LATEST = (
    "SELECT id FROM (SELECT id, assumeNotNull(who) AS instance FROM events FINAL"
    " WHERE source = ? AND name = ? AND who IS NOT NULL AND {there} AND {where}"
    f" ORDER BY time DESC, seq DESC LIMIT {MOST_UPGRADES} BY instance)"
)


class HistoryQuestions(ClickHousePart):
    """What is asked of the whole history of a fleet."""

    def fleet_history(self, source: int) -> FleetHistory:
        history, past = FleetHistory(), self._past()
        sql = f"SELECT count() AS size FROM {self._instances_in(past, source, self._here)}"
        ((size,),) = self._client.rows(sql)
        pieces = max(size // PIECE, self._bytes_of_upgrades(past, source) // PIECE_BYTES) + 1
        for piece in range(pieces):
            of_piece = f"cityHash64({{0}}) % {pieces} = {piece}"
            installs = self._installs(past, source, of_piece.format("owner"))
            upgrades = self._upgrades(past, source, of_piece.format("assumeNotNull(who)"))
            fleet = self._instances_in(past, source, f"{of_piece.format('instance')} AND {self._here}")
            for key, days, facts in self._client.rows(
                f"SELECT instance, days, facts FROM {fleet} WHERE {LASTING}"
            ):
                told = installs[key]
                if not told and facts:  # its runs have expired
                    at, version, *system = read_facts(facts)
                    told = [(at, Installed(at // DAY_MS, version, system_name(*system)))]
                first = min(days, default=0)
                slots = sum(1 << (day - first) * SLOTS_A_DAY for day in days)
                history.count(first, slots, with_upgrades(told, upgrades[key]))
        return history

    def _installs(self, past: Past, source: int, where: str) -> dict[bytes, list[tuple[int, Installed]]]:
        """The installs of some instances, each list in order of time."""
        found: defaultdict[bytes, list[tuple[int, Installed]]] = defaultdict(list)
        sql = (
            f"SELECT owner, {BEGAN} AS began, system.1 AS version, system.2 AS os, system.3 AS os_version"
            f" FROM {all_runs(past, source)} WHERE {BEGAN} > 0 AND {where}"
        )
        for who, began, version, *system in self._client.rows(sql):
            insort(found[who], (began, Installed(began // DAY_MS, version, system_name(*system))))
        return found

    def _upgrades(self, past: Past, source: int, where: str) -> Upgrades:
        """The upgrades of some instances that are kept."""
        latest = _LATEST.format(there=past.there, where=where)
        sql = (
            "SELECT assumeNotNull(who) AS instance, time, body FROM events FINAL"
            f" WHERE source = ? AND id IN ({latest}) ORDER BY time, seq"
        )
        return latest_upgrades(self._client.rows(sql, source, source, UPGRADED))

    def _bytes_of_upgrades(self, past: Past, source: int) -> int:
        latest = _LATEST.format(there=past.there, where="1 = 1")
        sql = f"SELECT sum(length(body)) AS size FROM events FINAL WHERE source = ? AND id IN ({latest})"
        ((size,),) = self._client.rows(sql, source, source, UPGRADED)
        return int(size)
