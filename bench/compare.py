"""Comparing things fairly: rounds interleaved, medians, ratios to a reference of the same run.

    results = rounds(15, {"bare": run_bare, "wrapped": run_wrapped})
    print(table(results, reference="bare", unit="ms"))

A contender returns its own figure, so that it measures what it means to: `timed` for wall time.
Rounds are interleaved and start at another contender each time, so that a machine that grows
slower or faster meanwhile does so for all.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Results = dict[str, list[float]]


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """Turn work into a contender whose figure is its wall time in milliseconds."""

    def contender() -> float:
        started = time.perf_counter()
        work()
        return (time.perf_counter() - started) * 1000

    return contender


def rounds(count: int, contenders: Mapping[str, Callable[[], float]], warm_up: int = 1) -> Results:
    """Call every contender once a round, from another one each time; drop warm-up figures."""
    names = list(contenders)
    results: Results = {name: [] for name in names}
    for number in range(-warm_up, count):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            figure = contenders[name]()
            if number >= 0:
                results[name].append(figure)
    return results


@dataclass(frozen=True)
class Row:
    """One contender's median, its ratio to the reference's, and the middle half of its figures."""

    name: str
    median: float
    ratio: float
    low: float
    high: float


def rows(results: Mapping[str, Sequence[float]], reference: str) -> list[Row]:
    base = statistics.median(results[reference])
    return [
        Row(name, median, median / base if base else float("nan"), *middle_half(figures))
        for name, figures in results.items()
        for median in [statistics.median(figures)]
    ]


def middle_half(figures: Sequence[float]) -> tuple[float, float]:
    if len(figures) < 2:
        return figures[0], figures[0]
    low, _, high = statistics.quantiles(figures, n=4, method="inclusive")
    return low, high


def ratio(results: Mapping[str, Sequence[float]], name: str, reference: str) -> float:
    """Return how many times the reference's median this one's is."""
    return statistics.median(results[name]) / statistics.median(results[reference])


def table(results: Mapping[str, Sequence[float]], *, reference: str, unit: str) -> str:
    """Return the figures as aligned text, the reference marked."""
    count = len(results[reference])
    width = max(len(name) for name in results) + 2
    head = f"{'':<{width}}{'median ' + unit:>14}{'ratio':>9}   middle half of {count} rounds"
    lines = [
        f"{row.name + ('*' if row.name == reference else ''):<{width}}"
        f"{row.median:>14.2f}{row.ratio:>8.2f}×   {row.low:.2f} - {row.high:.2f}"
        for row in rows(results, reference)
    ]
    return "\n".join([head, *lines, "* the reference"])


def goal(what: str, value: float, limit: float, *, at_least: bool = False) -> str:
    """Say whether a goal is met, with both figures."""
    met = value >= limit if at_least else value <= limit
    sign = ">=" if at_least else "<="
    return f"{'met ' if met else 'MISSED'} {what}: {value:.2f} (goal {sign} {limit:g})"
