"""Who is stuck: instances whose last run failed or never ended."""

from __future__ import annotations

from collector.base.times import DAY_MS
from collector.page.view_types import PIECE_ROWS, ViewRequest, ViewResult
from collector.page.views.run_list import filter_of, run_list, start_of_list


def show_stuck(view: ViewRequest) -> ViewResult:
    """The last runs of these instances, with how long ago they ended."""
    wanted = filter_of(view, "stuck")
    runs = run_list(view, wanted, "Instances whose last run failed or never ended", "runs")
    since, start = view.period.first * DAY_MS, start_of_list(view)
    counted, end = view.events.list_runs(view.source.id, wanted, since, start, view.now, PIECE_ROWS)
    data = {"stuck_at_least": len(counted), "counted_all": end is None}
    context = {
        "runs": runs.shown,
        "older": runs.older,
        "order": runs.order,
        "count": len(counted),
        "counted_all": end is None,
        "asked": sum(run.asked is not None for run in counted),
        "wanted": wanted,
    }
    return ViewResult("stuck", "Who is stuck", data, (runs.table,), context)
