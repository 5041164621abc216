"""The weekly digest: what became of each source, in a few lines."""

from __future__ import annotations

from collector.admin.keys import list_sources
from collector.alerts.book import begun_since
from collector.alerts.messages import Message, add_message, has_message
from collector.alerts.troubles import SERVER
from collector.base.hours import WEEK_MS, WeeklyTime
from collector.base.times import DAY_MS, WEEK
from collector.store import Stores
from collector.store.runs import RunCounts

MOST_SOURCES = 20
# A collector that did not run at the time of the digest still sends it this much later.
LATE_MS = DAY_MS


def add_digest(stores: Stores, weekly: WeeklyTime | None, now: int) -> None:
    """Store the digest of the last week if it is due, unless a collector has done so already."""
    due = weekly.last(now) if weekly else 0
    topic = f"digest {due}"
    if now - due >= LATE_MS or has_message(stores.control, topic):
        return
    message = digest_message(stores, due)
    with stores.control.transaction() as tx:
        add_message(tx, message, topic, SERVER, now)


def digest_message(stores: Stores, now: int) -> Message:
    """What the last seven whole days were like."""
    sources = list_sources(stores.control)
    lines = [_line(stores, number, name, now) for number, name in sources[:MOST_SOURCES]]
    if len(sources) > MOST_SOURCES:
        lines.append(f"and {len(sources) - MOST_SOURCES} more sources")
    begun = begun_since(stores.control, now - WEEK_MS)
    lines.append(f"{begun} {'alert' if begun == 1 else 'alerts'} began.")
    return Message("digest", "Rollcall: the last 7 days", "\n".join(lines), "/")


def _line(stores: Stores, source: int, name: str, now: int) -> str:
    last = now // DAY_MS - 1
    by_day = stores.events.active_by_day(source, WEEK, last - WEEK, last)
    active, before = by_day[last][1], by_day[last - WEEK][1]
    runs = RunCounts()
    for counts in stores.events.run_counts_by_day(source, last - WEEK + 1, last, now).values():
        runs.merge(counts)
    rate = f", {runs.rate:.0%} succeeded" if runs.rate is not None else ""
    return f"{name}: {active:,} active instances ({active - before:+,}), {runs.started:,} installs{rate}"
