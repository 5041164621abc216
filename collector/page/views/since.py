"""What broke since a release: its success rate beside that of the version before, and its failures."""

from __future__ import annotations

from collections.abc import Sequence

from collector.base.environments import ALL
from collector.base.versions import version_key
from collector.page.analysis.rates import Rate, compare_rates, rate_of
from collector.page.analysis.release_order import in_release_order
from collector.page.analysis.steps import Step, group_steps
from collector.page.period import iso
from collector.page.request import PageError
from collector.page.view_types import Cell, ViewRequest, ViewResult, ViewTable
from collector.page.views.marks import release_days
from collector.page.views.over_time import counts_table
from collector.page.views.steps import MOST_FAILED, steps_table
from collector.store.runs import RunCounts

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
        return ViewResult("since", "Since the release", {}, _tables([], [], []), context)
    before = _before(wanted, in_release_order({*versions, wanted}))
    return _result(view, wanted, before, released, versions)


def _result(
    view: ViewRequest, version: str, before: str | None, released: dict[str, int], versions: list[str]
) -> ViewResult:
    source, first, last = view.source.id, released[before or version], view.period.last
    counts = dict(view.events.run_counts_by_word(source, "version", first, last, view.now))
    rates = {word: rate_of(counts.get(word, RunCounts())) for word in (version, before) if word is not None}
    failed = view.events.failed_runs(source, first, last, MOST_FAILED)
    steps = group_steps([run for run in failed if version_key(run.version) <= version_key(version)])
    new = [step for step in steps if set(step.by_version) == {version}]
    gone = [step for step in steps if before in step.by_version and version not in step.by_version]
    still = [step for step in steps if version in step.by_version and step not in new]
    meaning = compare_rates(rates[version], rates[before]) if before is not None else "first"
    listed = [(word, counts.get(word, RunCounts())) for word in (version, before) if word is not None]
    data = {
        "version": version,
        "released": iso(released[version]),
        "before": before,
        "before_released": None if before is None else iso(released[before]),
        "success_rate": _cells(rates[version]),
        "success_rate_before": None if before is None else _cells(rates[before]),
        "meaning": meaning,
        "failures_read": len(failed),
    }
    tables = (*_tables(new, gone, still), counts_table("versions", "Both versions", "version", listed))
    context = {
        **data,
        "days": {"version": released[version], "before": released.get(before or "", 0)},
        "counts": dict(listed),
        "rates": rates,
        "new": new,
        "gone": gone,
        "still": still,
        "versions": versions[:MOST_VERSIONS],
        "most": MOST_FAILED,
    }
    return ViewResult("since", "Since the release", data, tables, context)


def _tables(new: Sequence[Step], gone: Sequence[Step], still: Sequence[Step]) -> tuple[ViewTable, ...]:
    return (
        steps_table("new", "New failures", new),
        steps_table("gone", "Failures that are gone", gone),
        steps_table("still", "Failures of both", still),
    )


def _before(version: str, versions: list[str]) -> str | None:
    """The release before a version, by their order."""
    rest = versions[versions.index(version) + 1 :]
    return rest[0] if rest else None


def _cells(rate: Rate) -> dict[str, Cell]:
    return {"value": rate.value, "low": round(rate.low, 4), "high": round(rate.high, 4)}
