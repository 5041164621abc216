"""When something is worth a message: the limits of a source, which an admin sets on the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from collector.admin import AdminError
from collector.admin.audit import record
from collector.store import ControlStore
from collector.store.retries import with_retries


class Limit(NamedTuple):
    """One limit; 0 switches its rule off."""

    name: str
    default: int
    most: int
    meaning: str


LONGEST_NUMBER = 10  # digits

LIMITS: tuple[Limit, ...] = (
    Limit("success_drop", 10, 100, "Percentage points that a version's success rate has lost"),
    Limit("failure_instances", 10, 10**9, "Instances whose installs failed at one place within a week"),
    Limit("new_failure_instances", 3, 10**9, "The same, at a new place where only one version fails"),
    Limit("active_drop", 20, 100, "Percent of the usual active instances that are missing on a day"),
    Limit("help_hours", 4, 10**5, "Hours that somebody has waited for help"),
    Limit("feed_days", 14, 10**4, "Days that are left until the release feed expires"),
)


def limits_of(control: ControlStore, source: int) -> dict[str, int]:
    """The limits of a source, by name."""
    found = {limit.name: limit.default for limit in LIMITS}
    rows = control.all("SELECT name, value FROM alert_limits WHERE source = ?", source)
    return found | {name: value for name, value in rows if name in found}


@with_retries
def set_limits(control: ControlStore, source: int, typed: Mapping[str, str], now: int, *, by: str) -> None:
    """Set the limits of a source to what somebody typed. AdminError if that is no number, or too large."""
    values = {limit.name: _number(limit, typed.get(limit.name, "")) for limit in LIMITS}
    with control.transaction() as tx:
        tx.execute("DELETE FROM alert_limits WHERE source = ?", source)
        for name, value in values.items():
            tx.execute("INSERT INTO alert_limits (source, name, value) VALUES (?, ?, ?)", source, name, value)
        (name,) = tx.all("SELECT name FROM sources WHERE id = ?", source)[0]
        record(tx, now, by, "set alert limits", name)


def _number(limit: Limit, text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER) or int(text) > limit.most:
        raise AdminError(f"a limit is a whole number from 0 to {limit.most:,}")
    return int(text)
