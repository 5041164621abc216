"""What charts mark: releases, advisories and outages."""

from __future__ import annotations

from collector.alerts.book import latest_alerts
from collector.base.plain import is_plain_version
from collector.base.times import DAY_MS
from collector.base.versions import version_key
from collector.page.analysis.release_order import FEW_RUNS, in_release_order, outliers
from collector.page.charts import Mark
from collector.page.period import day_of
from collector.page.view_types import ViewRequest
from collector.releases.feed import Feed
from collector.releases.published import published_feed
from collector.store.words import OTHER

# So many marks are shown of each kind: the latest ones.
MOST_OF_A_KIND = 8
# Alerts that say that events were not taken, or did not come.
OUTAGES = frozenset({"away", "refusing", "active"})
MOST_ALERTS = 500

# The first day of each version, and which of them are hardly a release.
ReleaseDays = tuple[dict[str, int], set[str]]


def chart_marks(view: ViewRequest, days: ReleaseDays | None = None) -> list[Mark]:
    """The marks of a period's charts, in the order of time; `days` if a view knows its release days."""
    published = published_feed(view.stores.control, view.source.id)
    feed = published.feed if published else None
    marks = [
        *_releases(view, feed, days or release_days(view, view.period.last)),
        *_advisories(view, feed),
        *_outages(view),
    ]
    return sorted(marks, key=lambda mark: mark.day)


def release_days(view: ViewRequest, until: int) -> ReleaseDays:
    """On which day each version was first installed, up to a day; and which of them are hardly a release."""
    first = view.events.first_days(view.source.id, "version")
    known = {word: day for word, day in first.items() if day <= until}
    ever = view.events.run_counts_by_word(
        view.source.id, "version", min(known.values(), default=until), until, view.now
    )
    runs = {word: counts.started for word, counts in ever if word != OTHER}
    return known, outliers({**dict.fromkeys(known, FEW_RUNS), **runs})  # of rare words, no runs are told


def _releases(view: ViewRequest, feed: Feed | None, days: ReleaseDays) -> list[Mark]:
    """The releases of the feed, which strangers cannot make up. Without a feed, those that were installed."""
    known, odd = days
    listed = {version_key(one.version) for one in feed.releases or ()} if feed else None
    told = [
        word
        for word in in_release_order(known)
        if word not in odd and is_plain_version(word) and (listed is None or version_key(word) in listed)
    ]
    text = "first install of {}" if listed is None else "{} released"
    return [
        Mark(known[word], "release", text.format(word), view.url("/since", version=word))
        for word in told[:MOST_OF_A_KIND]
    ]


def _advisories(view: ViewRequest, feed: Feed | None) -> list[Mark]:
    marks = []
    for one in (feed.advisories or []) if feed else []:
        try:
            day = day_of(one.date[:10])
        except ValueError:  # the feed's dates are free text
            continue
        marks.append(Mark(day, "advisory", f"advisory {one.id}", view.url("/releases") + "#advisories"))
    return sorted(marks, key=lambda mark: mark.day)[-MOST_OF_A_KIND:]


def _outages(view: ViewRequest) -> list[Mark]:
    found = [
        one for one in latest_alerts(view.stores.control, view.source.id, MOST_ALERTS) if one.kind in OUTAGES
    ]
    marks = [Mark(one.began // DAY_MS, "outage", one.title, view.url("/alerts")) for one in found]
    return sorted(marks, key=lambda mark: mark.day)[-MOST_OF_A_KIND:]
