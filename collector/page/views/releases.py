"""The release feed that is published, and beside each release how it does in the fleet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from collector.base.times import DAY_MS
from collector.base.versions import VersionKey, version_key
from collector.page.listing import list_rows
from collector.page.view_types import Cell, ViewRequest, ViewResult, ViewTable, time_text
from collector.releases.feed import Feed, Release
from collector.releases.published import published_feed
from collector.store.history import on_day
from collector.store.runs import RunCounts

# From so many days before a feed expires, the page says so.
SOON_DAYS = 30
# A version of the feed: two builds of one, after a +, are told apart where the feed has both.
Listed = tuple[VersionKey, str]
COLUMNS = ("version", "date", "rollout", "instances", "share", "started", "failed", "success_rate")


@dataclass(frozen=True)
class ReleaseRow:
    """A release of the feed: the instances that have it, and the installs of the period."""

    release: Release
    instances: int | None
    share: float | None
    runs: RunCounts
    spellings: Sequence[str]  # of its version, in the installs

    @property
    def cells(self) -> tuple[Cell, ...]:
        rate = None if self.runs.rate is None else round(self.runs.rate, 4)
        release, runs = self.release, self.runs
        rollout = 1.0 if release.rollout is None else release.rollout
        counted = (self.instances, self.share, runs.started, runs.failed, rate)
        return (release.version, release.date, rollout, *counted)


def show_releases(view: ViewRequest) -> ViewResult:
    """The feed of this source, or how to publish one."""
    found = published_feed(view.stores.control, view.source.id)
    feed = found.feed if found else None
    rows = _rows(view, feed) if feed else []
    releases = ViewTable("releases", "Releases", COLUMNS, [row.cells for row in rows])
    listed = list_rows(view, releases, rows)
    known = feed.advisories or [] if feed else []
    told = [(one.id, one.severity, ", ".join(one.affected), one.fixed_in, one.date) for one in known]
    columns = ("id", "severity", "affected", "fixed_in", "date")
    advisories = list_rows(view, ViewTable("advisories", "Advisories", columns, told), known)
    data: dict[str, Cell] = {
        "product": feed.product if feed else None,
        "sequence": feed.sequence if feed else None,
        "expires": feed.expires if feed else None,
        "published": time_text(found.published) if found else None,
        "key_id": found.key_name if found else None,
        "counted": feed is None or view.history is not None,  # without a feed, nothing is to be counted
    }
    context = {
        "feed": feed,
        "expires": feed.expires_at if feed else None,
        "state": _state(feed, view.now) if feed else "",
        "published": found.published if found else None,
        "lists": {"releases": listed, "advisories": advisories},
    }
    return ViewResult("releases", "Releases", data, (listed.table, advisories.table), context)


def _rows(view: ViewRequest, feed: Feed) -> list[ReleaseRow]:
    """The releases, the latest first. `v1.2` and `1.2.0` are one version."""
    listed_as = _listing_of(feed)
    instances, installs = _instances(view, listed_as), _installs(view, listed_as)
    total = sum(instances.values()) if instances else 0
    rows = []
    for release in sorted(feed.releases or (), key=lambda one: version_key(one.version), reverse=True):
        key = listed_as(release.version)
        n = None if instances is None else instances[key]
        share = round(n / total, 4) if n is not None and total else None
        of_it = installs.get(key, _Installs())
        rows.append(ReleaseRow(release, n, share, of_it.counts, of_it.spellings))
    return rows


def _listing_of(feed: Feed) -> Callable[[str], Listed]:
    """As which of its releases the feed lists a version."""
    builds = Counter(version_key(release.version) for release in feed.releases or ())

    def listed_as(version: str) -> Listed:
        key = version_key(version)
        return key, version.partition("+")[2] if builds[key] > 1 else ""

    return listed_as


def _instances(view: ViewRequest, listed_as: Callable[[str], Listed]) -> Counter[Listed] | None:
    """Instances that were active in the 30 days up to the period's end; None until they are counted."""
    if view.history is None:
        return None
    counted = Counter[Listed]()
    for version, n in on_day(view.history.versions, view.period.last).items():
        counted[listed_as(version)] += n
    return counted


@dataclass
class _Installs:
    """The installs of one version, however they spell it."""

    counts: RunCounts = field(default_factory=RunCounts)
    spellings: list[str] = field(default_factory=list)


def _installs(view: ViewRequest, listed_as: Callable[[str], Listed]) -> Mapping[Listed, _Installs]:
    """The installs that began in the period."""
    counted: dict[Listed, _Installs] = {}
    for version, counts in view.events.run_counts_by_word(
        view.source.id, "version", *view.period.ends, view.now
    ):
        one = counted.setdefault(listed_as(version), _Installs())
        one.counts.merge(counts)
        one.spellings.append(version)
    return counted


def _state(feed: Feed, now: int) -> str:
    """Why somebody has to publish again; empty if nobody has."""
    if feed.expires_at <= now:
        return "it has expired: instances refuse it"
    days = (feed.expires_at - now) // DAY_MS
    return f"in {days} days: publish again before that" if days < SOON_DAYS else ""
