"""How often installs failed at a step in a release, beside the release before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from collector.page.analysis.rates import LEAST_ENDED, Rate, share_of
from collector.page.analysis.steps import Step
from collector.store.runs import FailedRuns, RunCounts


@dataclass(frozen=True)
class Side:
    """One of two releases: its installs that have ended, as far as its failures were read."""

    version: str
    ended: float

    def share(self, step: Step) -> Rate:
        """The share of them that failed at a step."""
        runs = step.by_version[self.version]
        return share_of(runs, max(runs, self.ended))


@dataclass(frozen=True)
class Rise:
    """A step, and the share of installs that failed at it in a release and in the one before."""

    step: Step
    now: Side
    before: Side

    @property
    def share(self) -> Rate:
        return self.now.share(self.step)

    @property
    def share_before(self) -> Rate:
        return self.before.share(self.step)

    @property
    def by(self) -> float:
        """The difference of the shares: 0.01 is one percentage point."""
        return (self.share.value or 0.0) - (self.share_before.value or 0.0)

    @property
    def meaning(self) -> str:
        """`grew` or `fell`, `noise` if the ranges overlap, or `few` installs of one of the releases."""
        if min(self.now.ended, self.before.ended) < LEAST_ENDED:
            return "few"
        if self.share.low > self.share_before.high:
            return "grew"
        return "fell" if self.share.high < self.share_before.low else "noise"


def side_of(version: str, counts: RunCounts, failed: Iterable[FailedRuns]) -> Side:
    """A release, by its counts and by those of its failures that were read.

    If they are only some, as many of its installs are counted: the share that failed stays the same.
    """
    read = sum(one.runs for one in failed if one.version == version)
    return Side(version, counts.ended * read / counts.failed if read < counts.failed else counts.ended)


def rises_of(steps: Iterable[Step], now: Side, before: Side) -> list[Rise]:
    """The steps beside the release before; the one that grew most comes first."""
    return sorted((Rise(step, now, before) for step in steps), key=lambda one: -one.by)
