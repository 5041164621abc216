"""The troubles that have begun, and those that are over: their rows in the control store.

Several collectors write the same ones. A trouble begins once and ends once, whoever sees it first.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from collector.alerts.messages import Message, add_message, has_message
from collector.alerts.troubles import SERVER, Trouble, span_text
from collector.base.times import DAY_MS
from collector.store import ControlStore
from collector.store.database import Row, Transaction

# A trouble is over when nobody has seen it for so long.
CALM_MS = 3_600_000
KEEP_MS = 365 * DAY_MS
# Who has a write key can make up many of these. Further ones of a source are only on the page on that day.
MADE_UP, MOST_A_DAY = ("failure", "success"), 20


@dataclass(frozen=True)
class Alert:
    """A trouble that has begun; `ended` is None while it goes on."""

    id: int
    source: int
    kind: str
    subject: str
    title: str
    detail: str
    path: str
    urgent: bool
    began: int
    seen: int
    ended: int | None


_COLUMNS = "id, source, kind, subject, title, detail, path, urgent, began, seen, ended"


def open_alerts(control: ControlStore | Transaction, source: int) -> list[Alert]:
    """The troubles of a source that are not over."""
    sql = f"SELECT {_COLUMNS} FROM alerts WHERE source = ? AND ended IS NULL ORDER BY id"
    return [_alert(row) for row in control.all(sql, source)]


def latest_alerts(control: ControlStore, source: int, most: int) -> list[Alert]:
    """The latest troubles of a source and of the collector itself; those that go on come first."""
    sql = (
        f"SELECT {_COLUMNS} FROM alerts WHERE source IN (?, ?)"
        " ORDER BY CASE WHEN ended IS NULL THEN 0 ELSE 1 END, id DESC LIMIT ?"
    )
    return [_alert(row) for row in control.all(sql, source, SERVER, most)]


def begun_since(control: ControlStore, since: int) -> int:
    """How many troubles have begun since a time."""
    return int(control.all("SELECT COUNT(*) FROM alerts WHERE began >= ?", since)[0][0])


def note_troubles(
    control: ControlStore,
    source: int,
    name: str,
    found: Iterable[Trouble],
    now: int,
    *,
    looked_for: AbstractSet[str] | None = None,
) -> None:
    """Note what is wrong with a source now. What begins or ends makes a message.

    Only these kinds of trouble were looked for, so that no other one can be over; None means all.
    """
    with control.transaction() as tx:
        known = {(one.kind, one.subject): one for one in open_alerts(tx, source)}
        for trouble in found:
            alert = known.pop((trouble.kind, trouble.subject), None)
            if alert:
                tx.execute("UPDATE alerts SET seen = ? WHERE id = ? AND seen < ?", now, alert.id, now)
            else:
                _begin(tx, source, name, trouble, now)
        for alert in known.values():
            if now - alert.seen >= CALM_MS and (looked_for is None or alert.kind in looked_for):
                _end(tx, name, alert, now)


def _begin(tx: Transaction, source: int, name: str, trouble: Trouble, now: int) -> None:
    tx.execute("DELETE FROM alerts WHERE ended < ?", now - KEEP_MS)
    told = (trouble.kind, trouble.subject, trouble.title, trouble.detail, trouble.path, int(trouble.urgent))
    fresh = tx.execute(
        "INSERT INTO alerts (source, kind, subject, title, detail, path, urgent, began, seen)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        *(source, *told, now, now),
    )
    if fresh:
        mine = (trouble.kind, trouble.subject)
        alert = next(one for one in open_alerts(tx, source) if (one.kind, one.subject) == mine)
        if trouble.kind not in MADE_UP or _told_today(tx, source, now) < MOST_A_DAY:
            add_message(tx, begun_message(name, alert), f"begun {alert.id}", source, now)


def _end(tx: Transaction, name: str, alert: Alert, now: int) -> None:
    ended = tx.execute("UPDATE alerts SET ended = ? WHERE id = ? AND ended IS NULL", now, alert.id)
    if ended and has_message(tx, f"begun {alert.id}"):
        lasted = span_text(alert.seen - alert.began)
        message = ended_message(name, alert.title, lasted, alert.path, urgent=alert.urgent)
        add_message(tx, message, f"ended {alert.id}", alert.source, now)


def _told_today(tx: Transaction, source: int, now: int) -> int:
    sql = (
        "SELECT COUNT(*) FROM alerts a JOIN alert_messages m ON m.topic = 'begun ' || a.id"
        " WHERE a.source = ? AND a.kind IN (?, ?) AND m.made > ?"
    )
    return int(tx.all(sql, source, *MADE_UP, now - DAY_MS)[0][0])


def begun_message(name: str, what: Alert | Trouble) -> Message:
    """What is said when a trouble begins."""
    return Message("begun", f"{name}: {what.title}", what.detail, what.path, urgent=what.urgent)


def ended_message(name: str, title: str, lasted: str, path: str, *, urgent: bool) -> Message:
    """What is said when it is over."""
    return Message("ended", f"{name}: Over: {title}", f"It is over after {lasted}.", path, urgent=urgent)


def _alert(row: Row) -> Alert:
    return Alert(*row)
