"""The history of a fleet, read in pieces from the instances and their runs; no event is read."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict

from collector.base.times import DAY_MS
from collector.store.history import FleetHistory, Installed
from collector.store.rows import ESTABLISHED_MS, system_name
from collector.store.sql.folding import fold_little
from collector.store.sql.part import SqlPart

# Instances that are read at once.
PIECE = 1000

_INSTANCES = (
    "SELECT id, first_day, slots, facts_at, version, os, os_version FROM instances"
    f" WHERE source = ? AND id > ? AND last_seen - first_seen > {ESTABLISHED_MS} AND {{here}}"
    f" ORDER BY id LIMIT {PIECE}"
)
_RUNS = (
    "SELECT instance, coalesce(started, ended), version, os, os_version FROM runs"
    " WHERE source = ? AND instance >= ? AND instance <= ? AND coalesce(started, ended) IS NOT NULL"
)


class HistoryQuestions(SqlPart):
    """What is asked of the whole history of a fleet."""

    def fleet_history(self, source: int) -> FleetHistory:
        fold_little(self._database)
        history = FleetHistory()
        last, instances = b"", _INSTANCES.format(here=self._here)
        while rows := self._all(instances, source, last):
            installs = self._installs(source, bytes(rows[0][0]), bytes(rows[-1][0]))
            last = bytes(rows[-1][0])
            for who, first_day, slots, facts_at, version, *system in rows:
                told = [one for _, one in installs[bytes(who)]]
                if not told and facts_at is not None:  # its runs have expired
                    told = [Installed(facts_at // DAY_MS, version, system_name(*system))]
                history.count(first_day, int.from_bytes(slots, "little"), told)
        return history

    def _installs(self, source: int, low: bytes, high: bytes) -> dict[bytes, list[tuple[int, Installed]]]:
        """The installs of these instances, each list in order of time."""
        found: defaultdict[bytes, list[tuple[int, Installed]]] = defaultdict(list)
        for who, began, version, *system in self._all(_RUNS, source, low, high):
            insort(found[bytes(who)], (began, Installed(began // DAY_MS, version, system_name(*system))))
        return found
