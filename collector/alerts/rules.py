"""What is wrong with a source now. Each rule is a function from a Watch to its troubles.

A rule has one limit at which a trouble begins, and a laxer one up to which it goes on. So a number that stays
near the limit is one trouble, not many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import sqrt
from statistics import median
from urllib.parse import urlencode

from collector.alerts.troubles import Trouble, span_text
from collector.base.plain import is_plain_file, is_plain_version
from collector.base.times import DAY_MS, MONTH, WEEK
from collector.base.versions import version_key
from collector.releases.published import published_feed
from collector.store import Stores
from collector.store.answers import waiting_requests
from collector.store.runs import Failure, Place, RunCounts, place_of
from collector.store.words import OTHER

# A rate of fewer finished installs says nothing.
LEAST_RUNS = 20
# How far two rates are apart, in standard deviations, if that is more than chance.
DEVIATIONS = 3
# Heartbeats of a day may come so long after it.
LATE_MS = 6 * 3_600_000
# The same weekday of so many weeks says what is usual, if the source has at least the second number.
WEEKS, LEAST_WEEKS = 6, 3
LEAST_ACTIVE = 20
# Places of failure that are looked at, and of each so many of its latest runs, and of its first ones.
MOST_PLACES, MOST_RUNS = 20, 100
# People who wait are counted up to here.
MOST_WAITING = 100
HOUR_MS = 3_600_000
LAST = 2**62


@dataclass(frozen=True)
class Watch:
    """A source at one moment, with its limits, and the subjects of each kind of trouble that it has."""

    stores: Stores
    source: int
    name: str
    limits: Mapping[str, int]
    open: Mapping[str, AbstractSet[str]]
    now: int

    @property
    def today(self) -> int:
        return self.now // DAY_MS

    def is_open(self, kind: str, subject: str = "") -> bool:
        """Whether this trouble has begun already."""
        return subject in self.open.get(kind, ())

    def path(self, path: str, **query: str) -> str:
        """The address of a view of this source."""
        return f"{path}?{urlencode({'source': self.name, **query})}"

    def versions(self, days: int) -> dict[str, RunCounts]:
        """Finished installs of the last days by version, where they are enough to speak of a rate."""
        first = self.today - days + 1
        counted = self.stores.events.run_counts_by_word(self.source, "version", first, self.today, self.now)
        return {
            word: counts
            for word, counts in counted
            if word not in ("", OTHER) and counts.ended >= LEAST_RUNS // 2
        }


def less_success(watch: Watch) -> Iterator[Trouble]:
    """Installs of a version succeed less often than those of the most installed version before it.

    A stranger can make up a newer version, or one in between. That changes nothing for the true ones.
    """
    drop, month = watch.limits["success_drop"] / 100, watch.versions(MONTH)
    for version, counts in watch.versions(WEEK).items() if drop else ():
        is_open = watch.is_open("success", version)
        before = _most_installed({w: n for w, n in month.items() if version_key(w) < version_key(version)})
        if not before or (counts.ended < LEAST_RUNS and not is_open):
            continue
        now, then = counts.rate or 0.0, month[before].rate or 0.0
        chance = DEVIATIONS * _deviation(counts, month[before])
        if then - now >= (drop / 2 if is_open else max(drop, chance)):
            new, old = _named(version, "one version"), _named(before, "an earlier version")
            detail = f"In the last 7 days {now:.0%} of them succeeded. With {old} it was {then:.0%}."
            title = f"Installs of {new} succeed less often"
            yield Trouble("success", version, title, detail, watch.path("/installs", period="week"))


def failing_places(watch: Watch) -> Iterator[Trouble]:
    """Installs of many instances fail at one place, or some fail where only a new version fails."""
    many, few = watch.limits["failure_instances"], watch.limits["new_failure_instances"]
    limits = [limit for limit in (many, few) if limit]
    if not limits:
        return
    first = watch.today - WEEK + 1
    for failure in _failures(watch, first):
        hurt, is_open = failure.instances, watch.is_open("failure", failure.place.key)
        version = _only_version(watch, failure, first) if few and hurt >= few else ""
        if version or (many and hurt >= many) or (is_open and hurt >= (min(limits) + 1) // 2):
            yield _failing(watch, failure, version)


def fewer_active(watch: Watch) -> Iterator[Trouble]:
    """Fewer instances were active on the last whole day than on that weekday before."""
    drop, day = watch.limits["active_drop"] / 100, (watch.now - LATE_MS) // DAY_MS - 1
    if not drop:
        return
    by_day = watch.stores.events.active_by_day(watch.source, 1, day - WEEK * WEEKS, day)
    same = [n for week in range(1, WEEKS + 1) if (n := by_day[day - WEEK * week][1])]
    if len(same) < LEAST_WEEKS or median(same) < LEAST_ACTIVE:
        return
    active, usual, is_open = by_day[day][1], median(same), watch.is_open("active")
    if active < usual * (1 - (drop / 2 if is_open else drop)) and (is_open or active < min(same)):
        detail = f"{active:,} were active on the last whole day. On that weekday {usual:,.0f} are usual."
        yield Trouble("active", "", "Fewer instances are active", detail, watch.path("/", period="month"))


def waiting_for_help(watch: Watch) -> Iterator[Trouble]:
    """Somebody waits for help."""
    hours = watch.limits["help_hours"]
    if not hours:
        return
    waiting = waiting_requests(watch.stores.control, watch.stores.events, watch.source, MOST_WAITING)
    waited = watch.now - waiting[0][0] if waiting else 0
    if waiting and (waited >= hours * HOUR_MS or watch.is_open("help")):
        number = f"{len(waiting)}{' or more' if len(waiting) == MOST_WAITING else ''}"
        people = "1 person is" if len(waiting) == 1 else f"{number} people are"
        detail = f"{people} waiting for help, the first one for {span_text(waited)}."
        yield Trouble("help", "", "Somebody is waiting for help", detail, watch.path("/support"))


def expiring_feed(watch: Watch) -> Iterator[Trouble]:
    """The published release feed expires soon. After that no agent takes it."""
    days, published = watch.limits["feed_days"], published_feed(watch.stores.control, watch.source)
    if days and published and published.feed.expires_at - watch.now < days * DAY_MS:
        day = published.feed.expires[:10]
        detail = f"It expires on {day}. Sign one with a later time, and publish it."
        yield Trouble("feed", "", "The release feed expires soon", detail, watch.path("/releases"))


RULES: tuple[Callable[[Watch], Iterator[Trouble]], ...] = (
    less_success,
    failing_places,
    fewer_active,
    waiting_for_help,
    expiring_feed,
)


def _most_installed(versions: Mapping[str, RunCounts]) -> str:
    return max(versions, key=lambda version: versions[version].ended, default="")


def _deviation(one: RunCounts, other: RunCounts) -> float:
    """The standard deviation of the difference of two rates, if in truth they were the same."""
    n, m = one.ended, other.ended
    rate = (one.succeeded + other.succeeded) / (n + m)
    return sqrt(rate * (1 - rate) * (1 / n + 1 / m))


def _failures(watch: Watch, first: int) -> Iterator[Failure]:
    """The worst failures since a day, and those that have begun to be a trouble."""
    events, begun = watch.stores.events, set(watch.open.get("failure", ()))
    for failure in events.worst_failures(watch.source, first, watch.today, MOST_PLACES):
        begun.discard(failure.place.key)
        yield failure
    for key in sorted(begun):
        if found := events.find_failure(watch.source, first, watch.today, place_of(key)):
            yield found


def _only_version(watch: Watch, failure: Failure, first: int) -> str:
    """The one version that fails at this new place, if no newer one is installed more; otherwise empty."""
    if failure.first_seen < first * DAY_MS:
        return ""
    begin, end = (first * DAY_MS, b""), (LAST, b"\xff" * 16)
    asked = (watch.source, failure.place, first * DAY_MS, end, MOST_RUNS)
    runs = [run for after in (None, begin) for run in watch.stores.events.runs_failed_at(*asked, after)]
    versions = {run.version for run in runs}
    month, version = watch.versions(MONTH), max(versions, default="")
    is_new = version in month and version_key(version) >= version_key(_most_installed(month))
    return version if is_new and len(versions) == 1 else ""


def _failing(watch: Watch, failure: Failure, version: str) -> Trouble:
    place, hurt = failure.place, failure.instances
    # A script with the separator of places in its name makes any text the line.
    line = f":{place.line}" if place.line.isascii() and place.line.isdecimal() else ""
    where = f"`{place.script}{line}`" if is_plain_file(place.script) else "one place"
    title = f"Installs fail at {where}"
    only = f" Only {_named(version, 'one version')} fails there." if version else ""
    people = "1 instance" if hurt == 1 else f"{hurt:,} instances"
    detail = f"It hit {people} in the last 7 days.{only}"
    return Trouble("failure", place.key, title, detail, _path_of(watch, place))


def _named(version: str, otherwise: str) -> str:
    return version if is_plain_version(version) else otherwise


def _path_of(watch: Watch, place: Place) -> str:
    """The view of a failure; that of all installs if the place holds text that is no place."""
    parts = {"script": place.script, "line": place.line, "command": place.command, "end": place.end}
    if all(not part or is_plain_file(part) for part in parts.values()):
        return watch.path("/failure", **parts)
    return watch.path("/installs")
