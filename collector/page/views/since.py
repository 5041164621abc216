"""What broke since a release: its success rate beside that of the version before, and its failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from collector.base.environments import ALL
from collector.base.versions import is_same_release, version_key
from collector.page.analysis.rates import Rate, compare_releases, rate_of
from collector.page.analysis.release_order import in_release_order, release_before
from collector.page.analysis.rises import Rise, Side, rises_of, side_of
from collector.page.analysis.steps import Step, group_steps
from collector.page.period import LONGEST, iso
from collector.page.request import PageError
from collector.page.view_types import PAGE_ROWS, Cell, ViewRequest, ViewResult, ViewTable
from collector.page.views.marks import release_days
from collector.page.views.over_time import counts_table
from collector.page.views.steps import MOST_FAILED, STEP_COLUMNS, step_row, steps_table, whole_steps
from collector.store.runs import FailedRuns, RunCounts

# Links to so many releases.
MOST_VERSIONS = 12


def show_since(view: ViewRequest) -> ViewResult:
    """The latest release of the period's end, or the one in the address."""
    released, odd = release_days(view, view.period.last)
    versions = [word for word in in_release_order(released) if word not in odd]
    wanted = view.query.get("version") or next(iter(versions), "")
    if wanted and wanted not in released:  # a rare version, or a later one
        first = view.events.first_days(view.source.id, "version", wanted)
        released |= {word: day for word, day in first.items() if day <= view.period.last}
    if wanted not in released:
        everywhere = view.stores.events.within(ALL)
        if wanted and not everywhere.first_days(view.source.id, "version", wanted):
            raise PageError(404, "No install of this version has reported.")
        context = {"version": "", "wanted": wanted}
        return ViewResult("since", "Since the release", {}, _tables(Failures([], [], [], [])), context)
    before = release_before(wanted, in_release_order({*versions, wanted}))
    return _result(view, wanted, before, released, versions)


@dataclass(frozen=True)
class Failures:
    """The failures of a release: each step is in one of these."""

    new: list[Step]
    grew: list[Rise]
    gone: list[Rise]
    both: list[Rise]

    def shown(self) -> list[Step]:
        """The steps of the tables' first rows."""
        rises = [*self.grew[:PAGE_ROWS], *self.gone[:PAGE_ROWS], *self.both[:PAGE_ROWS]]
        return [*self.new[:PAGE_ROWS], *(one.step for one in rises)]


def _result(
    view: ViewRequest, version: str, before: str | None, released: dict[str, int], versions: list[str]
) -> ViewResult:
    source, last = view.source.id, view.period.last
    # The release before may be of a later day: a patch of an older line.
    since = min((version, *([] if before is None else [before])), key=lambda word: released[word])
    first = max(released[since], last + 1 - LONGEST)
    counts = dict(view.events.run_counts_by_word(source, "version", first, last, view.now))
    rates = {word: rate_of(counts.get(word, RunCounts())) for word in (version, before) if word is not None}
    later = [released[word] for word in versions if version_key(word) > version_key(version)]
    failed = [
        view.events.failed_runs(source, *part, MOST_FAILED)
        for part in _parts(first, last, (released[version], *later))
    ]
    reads = [sum(one.runs for one in found) for found in failed]
    failures = _failures([*chain(*failed)], version, before, counts)
    listed = [(word, counts.get(word, RunCounts())) for word in (version, before) if word is not None]
    meaning = compare_releases(listed[0][1], None if before is None else listed[1][1])
    data = {
        "version": version,
        "released": iso(released[version]),
        "before": before,
        "before_released": None if before is None else iso(released[before]),
        "success_rate": _cells(rates[version]),
        "success_rate_before": None if before is None else _cells(rates[before]),
        "meaning": meaning,
        "failures_read": sum(reads),
    }
    tables = (*_tables(failures), counts_table("versions", "Both versions", "version", listed))
    context = {
        **data,
        "days": {"version": released[version], "since": first},
        "since": since,
        "counts": dict(listed),
        "rates": rates,
        "failures": failures,
        "versions": versions[:MOST_VERSIONS],
        "cut": MOST_FAILED if MOST_FAILED in reads else None,
        "whole": whole_steps(view, failures.shown(), first, last),
        "span": {"period": "custom", "from": iso(first), "to": iso(last)},
    }
    return ViewResult("since", "Since the release", data, tables, context)


def _failures(
    failed: Sequence[FailedRuns], version: str, before: str | None, counts: Mapping[str, RunCounts]
) -> Failures:
    """The steps at which a release and those before it failed."""
    steps = group_steps([one for one in failed if version_key(one.version) <= version_key(version)])
    now = side_of(version, counts.get(version, RunCounts()), failed)
    then = Side("", 0) if before is None else side_of(before, counts.get(before, RunCounts()), failed)
    new = [
        step
        for step in steps
        if version in step.by_version and all(is_same_release(one, version) for one in step.by_version)
    ]
    still = [step for step in steps if version in step.by_version and step not in new]
    gone = [step for step in steps if before in step.by_version and version not in step.by_version]
    rises = rises_of(still, now, then)
    grew = [one for one in rises if one.meaning == "grew"]
    return Failures(new, grew, rises_of(gone, now, then)[::-1], [one for one in rises if one not in grew])


def _parts(first: int, last: int, released: Sequence[int]) -> list[tuple[int, int]]:
    """A period before a release, from then on, and from the next release on.

    Each is read by itself: a release that fails often would leave no room for those before it.
    """
    begins = [first, *sorted({day for day in released if first < day <= last})[:2]]
    return [(day, end - 1) for day, end in pairwise([*begins, last + 1])]


def _tables(failures: Failures) -> tuple[ViewTable, ...]:
    return (
        steps_table("new", "New failures", failures.new),
        _rises_table("grew", "Failures that grew", failures.grew),
        _rises_table("gone", "Failures that are gone", failures.gone),
        _rises_table("still", "Other failures of both", failures.both),
    )


def _rises_table(name: str, title: str, rises: Sequence[Rise]) -> ViewTable:
    rows = [
        (*step_row(one.step), *(_share(rate) for rate in (one.share, one.share_before)), one.meaning)
        for one in rises
    ]
    return ViewTable(name, title, (*STEP_COLUMNS, "share", "share_before", "meaning"), rows)


def _share(rate: Rate) -> float | None:
    return None if rate.value is None else round(rate.value, 4)


def _cells(rate: Rate) -> dict[str, Cell]:
    return {"value": rate.value, "low": round(rate.low, 4), "high": round(rate.high, 4)}
