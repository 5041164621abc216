"""Single events: the latest, those of an instance, those of a run; and requests for help."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from collector.base.events import BEAT
from collector.page.queries.installs import Run, run_of
from collector.store import Store, schema

# Heartbeats are not indexed by instance, because that would cost a random write per event. So the
# heartbeats of an instance are searched among this many of the latest; its timeline shows all of them.
BEATS_SEARCHED = 5000

# Other events of an instance with a name are searched among this many of its latest.
OTHERS_SEARCHED = 5000

# Requests for help that are waiting are counted up to here.
MOST_WAITING = 1000

# The list of event names covers this many days; the URL may contain any other name.
NAMED_DAYS = 91

# Where a page of a list ended: a time, and a number that tells apart events of the same time.
PageEnd = tuple[int, int]

_EVENT = "seq, received, time, type, name, who, run, body"
_RUN = ", ".join(f"r.{name}" for name in schema.RUNS.names)
# What people have answered is little, so this passes over few runs.
_WAITING = (
    "FROM runs r WHERE r.source = ? AND r.asked IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM answered a WHERE a.source = r.source AND a.run = r.id)"
)


@dataclass(frozen=True)
class StoredEvent:
    """One event as it is stored."""

    seq: int
    received: int
    time: int
    type: str
    name: str
    who: bytes | None
    run: bytes | None
    body: str = field(repr=False)


@dataclass(frozen=True)
class HelpRequest:
    """A request for help: its run, and who answered it and when."""

    run: Run
    answered: int | None
    answered_by: str | None


def latest_events(store: Store, source: int, before: int, most: int) -> list[StoredEvent]:
    """The latest events by arrival, before the one with a number."""
    sql = f"SELECT {_EVENT} FROM events WHERE source = ? AND seq < ? ORDER BY seq DESC LIMIT ?"
    return [_event(row) for row in store.all(sql, source, before, most)]


def events_named(store: Store, source: int, name: str, before: PageEnd, most: int) -> list[StoredEvent]:
    """The latest events with a name, by time."""
    sql = (
        f"SELECT {_EVENT} FROM events WHERE source = ? AND name = ? AND (time, seq) < (?, ?)"
        " ORDER BY time DESC, seq DESC LIMIT ?"
    )
    return [_event(row) for row in store.all(sql, source, name, *before, most)]


def events_of_instance(
    store: Store, source: int, who: bytes, name: str, before: PageEnd, most: int
) -> list[StoredEvent]:
    """The latest events of an instance, by time; only those with a name, if one is given."""
    found: list[StoredEvent] = []
    if name != BEAT:
        where = "source = ? AND who = ? AND name <> 'Instance Active'"
        searched = OTHERS_SEARCHED if name else most
        found += _search(store, where, (source, who), before, searched, {"name": name} if name else {}, most)
    if name in ("", BEAT):
        where = "source = ? AND name = 'Instance Active'"
        found += _search(store, where, (source,), before, BEATS_SEARCHED, {"who": who}, most)
    return sorted(found, key=lambda event: (event.time, event.seq), reverse=True)[:most]


def events_of_run(store: Store, source: int, key: bytes, most: int) -> list[StoredEvent]:
    """The events of a run, in the order in which they happened."""
    sql = f"SELECT {_EVENT} FROM events WHERE source = ? AND run = ? ORDER BY time, seq LIMIT ?"
    return [_event(row) for row in store.all(sql, source, key, most)]


def event_names(store: Store, source: int, most: int) -> list[str]:
    """The names of events in the last days that have any, most frequent first."""
    sql = (
        "SELECT name FROM daily WHERE source = ? AND name NOT IN ('', '(other)')"
        f" AND day > (SELECT MAX(day) FROM daily WHERE source = ?) - {NAMED_DAYS}"
        " GROUP BY name ORDER BY SUM(n) DESC, name LIMIT ?"
    )
    return [name for (name,) in store.all(sql, source, source, most)]


def help_requests(store: Store, source: int, most: int) -> list[HelpRequest]:
    """Requests for help: waiting ones first, then the latest first."""
    waiting = f"SELECT {_RUN}, NULL, NULL {_WAITING} ORDER BY r.asked DESC LIMIT ?"
    rows = store.all(waiting, source, most)
    answered = (
        f"SELECT {_RUN}, a.at, a.by_user FROM answered a JOIN runs r ON r.source = a.source AND r.id = a.run"
        " WHERE a.source = ? AND r.asked IS NOT NULL ORDER BY r.asked DESC LIMIT ?"
    )
    rows += store.all(answered, source, most - len(rows))
    return [HelpRequest(run_of(row[:-2]), row[-2], row[-1]) for row in rows]


def count_waiting_requests(store: Store, source: int) -> int:
    """The number of requests for help that are waiting for an answer, up to MOST_WAITING."""
    sql = f"SELECT COUNT(*) FROM (SELECT 1 {_WAITING} LIMIT ?) AS waiting"
    count: int = store.all(sql, source, MOST_WAITING)[0][0]
    return count


def answer_request(store: Store, source: int, run: bytes, user: str, now: int) -> None:
    """Mark a request as answered; the first user who did so is stored."""
    with store.transaction() as tx:
        sql = (
            "INSERT INTO answered (source, run, at, by_user) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (source, run) DO NOTHING"
        )
        tx.execute(sql, source, run, now, user)


def reopen_request(store: Store, source: int, run: bytes) -> None:
    with store.transaction() as tx:
        tx.execute("DELETE FROM answered WHERE source = ? AND run = ?", source, run)


def _search(
    store: Store,
    where: str,
    values: tuple[Any, ...],
    before: PageEnd,
    searched: int,
    wanted: dict[str, Any],
    most: int,
) -> list[StoredEvent]:
    """The latest events with the wanted values, among so many; bodies are read of those alone."""
    latest = (
        f"(SELECT seq, time, name, who FROM events WHERE {where} AND (time, seq) < (?, ?)"
        " ORDER BY time DESC, seq DESC LIMIT ?) AS latest"
    )
    chosen = " AND ".join(f"{column} = ?" for column in wanted) or "1 = 1"
    sql = (
        f"SELECT {_EVENT} FROM events WHERE seq IN"
        f" (SELECT seq FROM {latest} WHERE {chosen} ORDER BY time DESC, seq DESC LIMIT ?)"
    )
    return [_event(row) for row in store.all(sql, *values, *before, searched, *wanted.values(), most)]


def _event(row: tuple[Any, ...]) -> StoredEvent:
    seq, received, time, kind, name, who, run, body = row
    return StoredEvent(seq, received, time, kind, name, _bytes(who), _bytes(run), body)


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
