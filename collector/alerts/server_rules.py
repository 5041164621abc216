"""What is wrong with the collector itself: its store fills, refuses events, or does not answer."""

from __future__ import annotations

from collections.abc import Iterator

from collector.alerts.troubles import SERVER, Trouble
from collector.base.written import write_size
from collector.ingest.disk import DiskWatch
from collector.settings import Settings
from collector.store import Stores
from collector.store.values import Space

__all__ = ["SERVER", "away_trouble", "room_troubles"]

# The store fills if it takes so much of MAX_DB, or if the disk has less than so many times DISK_FREE; once
# that has begun, it goes on up to the second number.
FULL, STILL_FULL = 0.8, 0.7
SPARE, STILL_SPARE = 2, 2.5


def away_trouble() -> Trouble:
    detail = "No event is taken, and senders try again later."
    return Trouble("away", "", "The database does not answer", detail, "/", urgent=True)


def room_troubles(
    settings: Settings,
    stores: Stores,
    disk: DiskWatch,
    filling: bool,  # noqa: FBT001
) -> Iterator[Trouble]:
    """Whether events are refused for lack of room, or soon will be; `filling` is what it was before."""
    shortage = disk.look(again=True)
    if shortage:
        detail = f"{shortage[:1].upper()}{shortage[1:]}. Senders keep their events and try again later."
        yield Trouble("refusing", "", "No events are taken", detail, "/", urgent=True)
    space = stores.events.space()
    if _fills(settings, space, still=filling) and (filling or not shortage):
        left = f", and the disk has {write_size(space.free)} left" if space.free is not None else ""
        detail = f"It takes {write_size(space.used)}{left}. Without room no events are taken."
        yield Trouble("filling", "", "The database fills", detail, "/admin")


def _fills(settings: Settings, space: Space, *, still: bool) -> bool:
    full, spare = (STILL_FULL, STILL_SPARE) if still else (FULL, SPARE)
    if settings.max_db and space.used >= settings.max_db * full:
        return True
    return space.free is not None and space.free < settings.disk_free * spare
