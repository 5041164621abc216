"""What is said of the latest release in one line."""

from __future__ import annotations

from dataclasses import dataclass

from collector.page.analysis.rates import compare_releases
from collector.page.analysis.release_order import in_release_order, release_before
from collector.page.view_types import Cell, ViewRequest
from collector.page.views.marks import ReleaseDays
from collector.store.runs import RunCounts


@dataclass(frozen=True)
class Verdict:
    """How installs of the latest release succeed, beside those of the release before."""

    version: str
    before: str
    now: RunCounts
    then: RunCounts

    @property
    def meaning(self) -> str:
        return compare_releases(self.now, self.then)

    @property
    def data(self) -> dict[str, Cell]:
        return {
            "version": self.version,
            "before": self.before,
            "success_rate": self.now.rate,
            "success_rate_before": self.then.rate,
            "meaning": self.meaning,
        }


def latest_verdict(view: ViewRequest, days: ReleaseDays) -> Verdict | None:
    """What `show_since` says of the latest release, in short; None if no release is before it."""
    released, odd = days
    versions = in_release_order(word for word in released if word not in odd)
    before = release_before(versions[0], versions) if versions else None
    if before is None:
        return None
    version = versions[0]
    counted = view.events.run_counts_by_word(
        view.source.id, "version", min(released[version], released[before]), view.period.last, view.now
    )
    counts = dict(counted)
    return Verdict(version, before, *(counts.get(word, RunCounts()) for word in (version, before)))
