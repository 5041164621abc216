"""Messages that are to be sent, and what became of them: their rows in the control store.

Any collector may send a message. It claims it first, for some minutes. If it dies meanwhile, another one
claims it after that time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from collector.base.times import DAY_MS
from collector.store import ControlStore
from collector.store.database import Row, Transaction
from collector.store.retries import with_retries

Kind = Literal["begun", "ended", "digest", "test"]

# Longer than sending to every channel takes.
CLAIM_MS = 10 * 60_000
# A message that was not taken is tried again after this time, and each time after twice as long.
FIRST_PAUSE_MS = 60_000
# With so many tries, it is given up after 68 hours, about three days.
MOST_TRIES = 12
KEEP_MS = 365 * DAY_MS


@dataclass(frozen=True)
class Message:
    """What is told."""

    kind: Kind
    title: str
    body: str
    path: str
    urgent: bool = False


@dataclass(frozen=True)
class StoredMessage:
    """A message in the store; `done` names the channels that have taken it."""

    id: int
    source: int
    kind: Kind
    title: str
    body: str
    path: str
    urgent: bool
    made: int
    due: int
    tries: int
    done: str
    settled: int | None
    state: str


_COLUMNS = "id, source, kind, title, body, path, urgent, made, due, tries, done, settled, state"


def add_message(tx: Transaction, message: Message, topic: str, source: int, now: int) -> None:
    """Store a message that is to be sent, unless there is one on this topic; delete old ones."""
    tx.execute("DELETE FROM alert_messages WHERE settled < ?", now - KEEP_MS)
    told = (message.kind, message.title, message.body, message.path, int(message.urgent))
    tx.execute(
        "INSERT INTO alert_messages (topic, source, kind, title, body, path, urgent, made, due, tries, done,"
        " state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', 'waiting') ON CONFLICT (topic) DO NOTHING",
        *(topic, source, *told, now, now),
    )


def has_message(control: ControlStore | Transaction, topic: str) -> bool:
    """Whether there is a message on a topic."""
    return bool(control.all("SELECT 1 FROM alert_messages WHERE topic = ?", topic))


@with_retries
def claim_message(control: ControlStore, due: int, now: int, *, only_urgent: bool) -> StoredMessage | None:
    """The first message that was due at a time, claimed for this collector from now on; None if none was."""
    urgent = " AND urgent = 1" if only_urgent else ""
    sql = f"SELECT {_COLUMNS} FROM alert_messages WHERE state = 'waiting' AND due <= ?{urgent} ORDER BY id"
    for row in control.all(sql, due):
        found = _stored(row)
        with control.transaction() as tx:
            changed = tx.execute(
                "UPDATE alert_messages SET due = ?, tries = tries + 1"
                " WHERE id = ? AND state = 'waiting' AND due = ?",
                *(now + CLAIM_MS, found.id, found.due),
            )
        if changed:
            return found
    return None


@with_retries
def note_taken(control: ControlStore, message: StoredMessage, channels: str) -> None:
    """Note which channels have taken a message, so that no retry sends it there again."""
    with control.transaction() as tx:
        tx.execute("UPDATE alert_messages SET done = ? WHERE id = ?", channels, message.id)


@with_retries
def settle_message(control: ControlStore, message: StoredMessage, now: int, *, taken: bool) -> None:
    """A message was sent; or it was not, and is tried again later or given up."""
    tries = message.tries + 1
    state = "sent" if taken else "failed" if tries >= MOST_TRIES else "waiting"
    due = now + (FIRST_PAUSE_MS << tries)
    with control.transaction() as tx:
        tx.execute(
            "UPDATE alert_messages SET state = ?, settled = ?, due = ? WHERE id = ?",
            *(state, None if state == "waiting" else now, due, message.id),
        )


def latest_messages(control: ControlStore, sources: tuple[int, int], most: int) -> list[StoredMessage]:
    """The latest messages about a source and about the collector itself, newest first."""
    sql = f"SELECT {_COLUMNS} FROM alert_messages WHERE source IN (?, ?) ORDER BY id DESC LIMIT ?"
    return [_stored(row) for row in control.all(sql, *sources, most)]


def _stored(row: Row) -> StoredMessage:
    return StoredMessage(*row)
