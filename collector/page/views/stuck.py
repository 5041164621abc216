"""Who is stuck: instances whose last run failed or never ended."""

from __future__ import annotations

from collections.abc import Sequence

from collector.base.times import DAY_MS
from collector.page.period import LONGEST, iso
from collector.page.view_types import PIECE_ROWS, ViewRequest, ViewResult
from collector.page.views.run_list import filter_of, run_list, start_of_list
from collector.store.runs import NO_RUN, Run, RunsEnd


def show_stuck(view: ViewRequest) -> ViewResult:
    """The last runs of these instances, the longest stuck first, and how many are stuck for longer still."""
    wanted = filter_of(view, "stuck")
    runs = run_list(view, wanted, "Instances whose last run failed or never ended", "runs", oldest_first=True)
    since = view.period.first * DAY_MS

    def count(since: int, until: RunsEnd) -> tuple[list[Run], bool]:
        found, end = view.events.list_runs(view.source.id, wanted, since, until, view.now, PIECE_ROWS, NO_RUN)
        return found, end is None

    counted, counted_all = (runs.shown, True) if runs.is_whole else count(since, start_of_list(view))
    earlier, counted_earlier = count(0, (since, b""))
    first = max(
        min((run.began or 0) for run in earlier) // DAY_MS if earlier else 0, view.period.last + 1 - LONGEST
    )
    data = {
        "stuck_at_least": len(counted),
        "counted_all": counted_all,
        "stuck_before_at_least": len(earlier),
        "counted_all_before": counted_earlier,
    }
    context = {
        "runs": runs.shown,
        "older": runs.older,
        "order": runs.order,
        "asked": sum(run.asked is not None for run in counted),
        "longest": _longest(counted, view.now),
        "longest_earlier": _longest(earlier, view.now),
        "from_then": {"period": "custom", "from": iso(first), "to": iso(view.period.last)},
        "wanted": wanted,
    }
    return ViewResult("stuck", "Who is stuck", data, (runs.table,), context)


def _longest(runs: Sequence[Run], now: int) -> int:
    """How long the first of them has been stuck."""
    return max((now - (run.ended or run.began or now) for run in runs), default=0)
