"""What is counted as events arrive, so that the page need not read them again.

Every number here is a function of the set of events, whatever their order: a recount over the
events gives the same (tests prove it). Only which words are counted by themselves depends on the
order (`words.py`). `Ledger` holds what one transaction touches: rows loaded first, then each new
event counted, then the changes.

An instance's heartbeats are kept as a set of six-hour slots: bit 0 of `slots` is the first slot of
`first_day`. That is small, gives its timeline with its gaps, and says exactly what a late heartbeat
adds to "alive in the 30 days before".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from collector.base.events import BEAT, Event, Fact
from collector.base.times import DAY_MS
from collector.store import schema
from collector.store.rows import InstanceRow, RunRow, instance_of, instance_row, run_row
from collector.store.scope import is_total
from collector.store.spans import SLOTS_A_DAY, SPANS, bits_of, days_of, edges, weeks_of
from collector.store.words import OTHER, Word

Key = tuple[int, bytes]


class Ledger:
    """The instances, runs and counters that one transaction touches."""

    def __init__(self) -> None:
        self.instances: dict[Key, InstanceRow] = {}
        self.runs: dict[Key, RunRow] = {}
        self._counted: dict[Key, tuple[tuple[int, int], int, int]] = {}  # standing, first day and slots
        self.daily: Counter[tuple[int, int, str, str]] = Counter()
        self.active: Counter[tuple[int, int, int, int]] = Counter()
        self.outcomes: Counter[tuple[int, str, int, str, str]] = Counter()
        self.cohorts: Counter[tuple[int, int, int]] = Counter()
        self.retention: Counter[tuple[int, int, int, int]] = Counter()

    def load_instances(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Rows of instances as they are before this transaction."""
        for row in rows:
            instance = instance_of(row)
            self.instances[instance.source, instance.id] = instance

    def load_runs(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Rows of runs as they are before this transaction."""
        for row in rows:
            run = RunRow(*row)
            self.runs[run.source, run.id] = run

    def count(self, event: Event) -> None:
        """Count an event that was really inserted."""
        fact = event.fact
        self.daily[event.source, event.time // DAY_MS, event.type, event.name] += 1
        if fact is None or event.who is None:
            return
        self._count_instance(event, event.who)
        if event.run is not None and event.name != BEAT:
            self._count_run(event, event.who, event.run, fact)

    def words(self) -> set[Word]:
        """The words in what was counted."""
        names = {(source, "name", day, name) for source, day, _, name in self.daily}
        return names | {key[:4] for key in self.outcomes if not is_total(key[1])}

    def changes(self, admitted: Collection[Word]) -> Iterator[tuple[schema.Table, list[tuple[Any, ...]]]]:
        """Every row to write, sorted by key within its table; words that are not admitted are OTHER."""
        for key, counted in self._counted.items():
            self._recount(self.instances[key], *counted)
        yield schema.INSTANCES, [instance_row(self.instances[key]) for key in sorted(self.instances)]
        yield schema.RUNS, [run_row(self.runs[key]) for key in sorted(self.runs)]
        yield schema.DAILY, _counter_rows(self._folded_daily(admitted))
        yield schema.ACTIVE, _counter_rows(self.active)
        yield schema.OUTCOMES, _counter_rows(self._folded_outcomes(admitted))
        yield schema.COHORTS, _counter_rows(self.cohorts)
        yield schema.RETENTION, _counter_rows(self.retention)

    def _count_run(self, event: Event, who: bytes, key: bytes, fact: Fact) -> None:
        run = self.runs.setdefault((event.source, key), RunRow(event.source, key, who))
        before = run.standing
        run.saw(event, fact)
        after = run.standing
        if before != after:
            for standing, step in ((before, -1), (after, 1)):
                for kind, day, word, outcome in standing:
                    self.outcomes[event.source, kind, day, word, outcome] += step

    def _folded_daily(self, admitted: Collection[Word]) -> Counter[tuple[int, int, str, str]]:
        folded: Counter[tuple[int, int, str, str]] = Counter()
        for (source, day, call, name), n in self.daily.items():
            known = (source, "name", day, name) in admitted
            folded[source, day, call, name if known else OTHER] += n
        return folded

    def _folded_outcomes(self, admitted: Collection[Word]) -> Counter[tuple[int, str, int, str, str]]:
        folded: Counter[tuple[int, str, int, str, str]] = Counter()
        for (source, kind, day, word, outcome), n in self.outcomes.items():
            known = is_total(kind) or (source, kind, day, word) in admitted
            folded[source, kind, day, word if known else OTHER, outcome] += n
        return folded

    def _count_instance(self, event: Event, who: bytes) -> None:
        key = (event.source, who)
        instance = self.instances.get(key)
        if instance is None:
            instance = self.instances[key] = InstanceRow(*key, event.time, event.time)
            self._enrol(key[0], instance.standing, 1)
        self._counted.setdefault(key, (instance.standing, instance.first_day, instance.slots))
        instance.saw(event)

    def _enrol(self, source: int, standing: tuple[int, int], step: int) -> None:
        number, cohort = standing
        self.cohorts[source, cohort, number] += step

    def _recount(self, instance: InstanceRow, standing: tuple[int, int], first_day: int, slots: int) -> None:
        """Move an instance from where it was counted to where it is now.

        This runs once per transaction, however many events it brought. Only what differs is touched,
        because an instance may have thousands of days.
        """
        source, first, standing_now = instance.source, instance.first_day, instance.standing
        same = standing == standing_now
        if not same:
            self._enrol(source, standing, -1)
            self._enrol(source, standing_now, 1)
        elif slots == instance.slots and first_day == first:
            return
        days = days_of(slots) << (first_day - first) * SLOTS_A_DAY if slots else 0
        now = days_of(instance.slots)
        if same and days == now:
            return
        for span in SPANS:
            for old, new, sign in zip(edges(days, span), edges(now, span), (1, -1), strict=True):
                both = old & new if standing[0] == standing_now[0] else 0
                for where, mask, step in ((standing, old, -sign), (standing_now, new, sign)):
                    for offset in bits_of(mask ^ both, SLOTS_A_DAY):
                        self.active[source, first + offset, span, where[0]] += step
        first_week, old = weeks_of(first, days)
        _, new = weeks_of(first, now)
        both = old & new if same else 0
        for (number, cohort), mask, step in ((standing, old, -1), (standing_now, new, 1)):
            for offset in bits_of(mask ^ both, 1):
                self.retention[source, cohort, number, first_week + offset] += step


def count_instance(ledger: Ledger, instance: InstanceRow, step: int) -> None:
    """Count an instance (1), or take it back (-1)."""
    source, (number, cohort) = instance.source, instance.standing
    ledger.cohorts[source, cohort, number] += step
    days = days_of(instance.slots)
    for span in SPANS:
        for mask, change in zip(edges(days, span), (step, -step), strict=True):
            for offset in bits_of(mask, SLOTS_A_DAY):
                ledger.active[source, instance.first_day + offset, span, number] += change
    first_week, weeks = weeks_of(instance.first_day, days)
    for offset in bits_of(weeks, 1):
        ledger.retention[source, cohort, number, first_week + offset] += step


def count_run(ledger: Ledger, run: RunRow, step: int) -> None:
    """Count a run (1), or take it back (-1)."""
    for kind, day, word, outcome in run.standing:
        ledger.outcomes[run.source, kind, day, word, outcome] += step


def _counter_rows(counter: Mapping[Any, int]) -> list[tuple[Any, ...]]:
    return [(*key, counter[key]) for key in sorted(counter) if counter[key]]
