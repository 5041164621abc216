"""Events: the latest as they land, each with its whole JSON."""

from __future__ import annotations

from collector.base.ids import as_uuid, key_of
from collector.page import bodies
from collector.page.look import LATEST, PAGE_ROWS, Look, Shown, Table, told_id, told_time
from collector.page.queries import events
from collector.page.queries.events import Event

MOST_NAMES = 100
REFRESH_SECONDS = 5


def show(look: Look) -> Shown:
    """The latest events; by name, by instance."""
    name, who = look.query.get("event", ""), look.query.get("instance", "").strip()
    found = _find(look, name, who)
    shown, more = found[:PAGE_ROWS], len(found) > PAGE_ROWS
    helps = look.visitor.may_help
    rows = [
        (
            told_time(e.time),
            told_time(e.received),
            e.type,
            e.name,
            told_id(e.who),
            told_id(e.run),
            bodies.compact(e.body, reveal=helps),
        )
        for e in shown
    ]
    columns = ("time", "received", "type", "event", "instance", "run", "json")
    names = events.names(look.store, look.source.id, MOST_NAMES)
    older = _place(shown[-1], by_time=bool(name or who)) if more else None
    context = {
        "events": [(event, bodies.pretty(event.body, reveal=helps)) for event in shown],
        "names": names if not name or name in names else [name, *names],
        "name": name,
        "who": who,
        "key": as_uuid(key_of(who)),
        "older": older,
        "live": look.query.get("live") == "1",
        "refresh": REFRESH_SECONDS if look.query.get("live") == "1" else None,
    }
    return Shown("events", "Events", {"older": older}, (Table("events", "Events", columns, rows),), context)


def _find(look: Look, name: str, who: str) -> list[Event]:
    store, source, most = look.store, look.source.id, PAGE_ROWS + 1
    at, number = look.before
    before = (at, min(number, LATEST))
    if who:
        return events.of_instance(store, source, key_of(who), name, before, most)
    if name:
        return events.named(store, source, name, before, most)
    return events.latest(store, source, at, most)


def _place(last: Event, *, by_time: bool) -> str:
    """Where a page ends, as `before` of the next."""
    return f"{last.time}.{last.seq}" if by_time else str(last.seq)
