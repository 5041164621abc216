"""Shares with a range that respects small numbers, and what a difference of two means."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from collector.store.runs import RunCounts

# Of 20 ranges, 19 contain the true rate.
_Z = 1.96
# Fewer installs that have ended say nothing about a release, whatever their range.
LEAST_ENDED = 20


@dataclass(frozen=True)
class Rate:
    """A share of finished runs, and Wilson's range of what the true share may be."""

    value: float | None
    low: float
    high: float


def rate_of(counts: RunCounts) -> Rate:
    """The share of these runs that succeeded, of those that have ended."""
    return share_of(counts.succeeded, counts.ended)


def share_of(some: float, n: float) -> Rate:
    """The share that some are of n; of none it may be anything."""
    if n <= 0:
        return Rate(None, 0.0, 1.0)
    share, square = some / n, _Z * _Z
    middle = share + square / (2 * n)
    spread = _Z * sqrt(share * (1 - share) / n + square / (4 * n * n))
    scale = 1 + square / n
    return Rate(share, max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale))


def compare_rates(now: Rate, before: Rate) -> str:
    """`better`, `worse`, or `noise` if their ranges overlap."""
    if now.low > before.high:
        return "better"
    return "worse" if now.high < before.low else "noise"


def compare_releases(now: RunCounts, before: RunCounts | None) -> str:
    """The same of two releases; `few` if too few of their installs have ended, `first` without one before."""
    if before is None:
        return "first"
    if min(now.ended, before.ended) < LEAST_ENDED:
        return "few"
    return compare_rates(rate_of(now), rate_of(before))
