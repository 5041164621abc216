"""The history of a fleet, read in pieces from the instances, their runs and their upgrades."""

from __future__ import annotations

from collections.abc import Iterator

from collector.base.events import BEAT, UPGRADED
from collector.base.times import DAY_MS
from collector.store.history import FleetHistory, Installed, latest_installs, latest_upgrades, with_upgrades
from collector.store.packed_slots import unpack_slots
from collector.store.rows import ESTABLISHED_MS, system_name
from collector.store.sql.folding import fold_little
from collector.store.sql.part import SqlPart

# Instances that are read at once.
PIECE = 1000
# Whoever has a write key sends any number of upgrades, of 32 KB each, and all of one moment. Of so many the
# numbers are read at once, and of so many the JSON.
FOUND_AT_ONCE, UPGRADES_AT_ONCE = 10_000, 100

_INSTANCES = (
    "SELECT id, first_day, packed_slots, facts_at, version, os, os_version FROM instances"
    f" WHERE source = ? AND id > ? AND last_seen - first_seen > {ESTABLISHED_MS} AND {{here}}"
    f" ORDER BY id LIMIT {PIECE}"
)
_RUNS = (
    "SELECT instance, coalesce(started, ended), version, os, os_version FROM runs"
    " WHERE source = ? AND instance >= ? AND instance <= ? AND coalesce(started, ended) IS NOT NULL"
)
# The third line is the condition of the index `events_by_who`: without it, that index cannot be used.
_UPGRADES = (
    "SELECT who, time, seq FROM events WHERE source = ? AND (who, time, seq) > (?, ?, ?) AND who <= ?"
    f" AND name = '{UPGRADED}'"
    f" AND who IS NOT NULL AND name <> '{BEAT}'"
    " ORDER BY who, time, seq LIMIT ?"
)


class HistoryQuestions(SqlPart):
    """What is asked of the whole history of a fleet."""

    def fleet_history(self, source: int) -> FleetHistory:
        fold_little(self._database)
        history = FleetHistory()
        last, instances = b"", _INSTANCES.format(here=self._here)
        while rows := self._all(instances, source, last):
            first, last = bytes(rows[0][0]), bytes(rows[-1][0])
            installs = latest_installs(self._database.rows(_RUNS, source, first, last))
            upgrades = latest_upgrades(self._upgrades(source, first, last))
            for who, first_day, slots, facts_at, version, *system in rows:
                told = installs[bytes(who)]
                if not told and facts_at is not None:  # its runs have expired
                    told = [(facts_at, Installed(facts_at // DAY_MS, version, system_name(*system)))]
                known = with_upgrades(told, upgrades[bytes(who)])
                history.count(first_day, unpack_slots(slots), known)
        return history

    def _upgrades(self, source: int, first: bytes, last: bytes) -> Iterator[tuple[bytes, int, str]]:
        """The upgrades of instances, some at a time."""
        after = (first, -1, 0)
        while found := self._all(_UPGRADES, source, *after, last, FOUND_AT_ONCE):
            who, time, number = found[-1]
            after = (bytes(who), time, number)
            for start in range(0, len(found), UPGRADES_AT_ONCE):
                some = [number for _, _, number in found[start : start + UPGRADES_AT_ONCE]]
                marks = ",".join("?" * len(some))
                sql = f"SELECT who, time, body FROM events WHERE seq IN ({marks}) ORDER BY who, time, seq"
                yield from self._all(sql, *some)
