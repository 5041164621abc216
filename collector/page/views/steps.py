"""Which step to mend first: failures by step, across versions whose line numbers moved."""

from __future__ import annotations

from collections.abc import Sequence

from collector.page.analysis.steps import Step, group_steps
from collector.page.listing import list_rows
from collector.page.view_types import Cell, ViewRequest, ViewResult, ViewTable, time_text
from collector.store.runs import Place

# Failed runs that are grouped: the latest ones of the period.
MOST_FAILED = 10_000
STEP_COLUMNS = (
    *("script", "line", "command", "end", "instances", "runs"),
    *("versions", "systems", "first_seen", "last_seen"),
)


def show_steps(view: ViewRequest) -> ViewResult:
    """The steps at which installs of the period failed; the one that hurts most instances comes first."""
    failed = view.events.failed_runs(view.source.id, *view.period.ends, MOST_FAILED)
    steps = group_steps(failed)
    listed = list_rows(view, steps_table("steps", "Failures by step", steps), steps)
    by_version = ViewTable(
        "by_version", "Steps by version", (*STEP_COLUMNS[:4], "version", "runs"), _each(steps)
    )
    by_system = ViewTable("by_system", "Steps by system", (*STEP_COLUMNS[:4], "os", "runs"), _systems(steps))
    read = sum(one.runs for one in failed)
    context = {
        "list": listed,
        "cut": MOST_FAILED if read == MOST_FAILED else None,
        "whole": whole_steps(view, listed.shown, *view.period.ends),
    }
    data = {"failures_read": read}
    return ViewResult("steps", "Which step first", data, (listed.table, by_version, by_system), context)


def whole_steps(view: ViewRequest, steps: Sequence[Step], first: int, last: int) -> set[Place]:
    """The places of those steps whose runs are all that failed there in a period: a list has just these."""
    places = {one.place: {at for _, at in one.places} for one in steps}
    by_day = view.events.failure_trends(view.source.id, first, last, [*set[Place]().union(*places.values())])
    failed = {one.place: sum(sum(by_day[at.key].values()) for at in places[one.place]) for one in steps}
    return {one.place for one in steps if failed[one.place] == one.runs}


def steps_table(name: str, title: str, steps: Sequence[Step]) -> ViewTable:
    """Steps for programs."""
    return ViewTable(name, title, STEP_COLUMNS, [step_row(step) for step in steps])


def step_row(step: Step) -> tuple[Cell, ...]:
    """A step for programs, in the order of STEP_COLUMNS."""
    sizes = (len(step.instances), step.runs, len(step.by_version), len(step.by_system))
    return (*_place(step), *sizes, time_text(step.first), time_text(step.last))


def _place(step: Step, line: str | None = None) -> tuple[Cell, ...]:
    return step.script, step.line if line is None else line, step.command, step.end


def _each(steps: Sequence[Step]) -> list[tuple[Cell, ...]]:
    """Each step at its line in each version, the latest release first."""
    return [
        (*_place(step, line), version, step.by_version[version])
        for step in steps
        for version, line in step.lines.items()
    ]


def _systems(steps: Sequence[Step]) -> list[tuple[Cell, ...]]:
    return [(*_place(step), system, n) for step in steps for system, n in step.by_system.most_common()]
