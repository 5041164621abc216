"""Which sources are public, and their public numbers: rows in the control store. Numbers never change."""

from __future__ import annotations

from collector.admin import AdminError
from collector.admin.audit import record
from collector.admin.keys import find_source
from collector.public.rounding import Cell, Place
from collector.store import ControlStore
from collector.store.retries import with_retries

# Numbers by week and place; a week is the day of its Monday.
Weeks = dict[int, dict[Place, Cell]]


@with_retries
def set_public(control: ControlStore, source: str, now: int, *, public: bool, by: str) -> None:
    """Switch the public page of a source on or off. Its numbers stay."""
    with control.transaction() as tx:
        number = find_source(tx, source)
        tx.execute("DELETE FROM public_sources WHERE source = ?", number)
        if public:
            tx.execute("INSERT INTO public_sources (source, since) VALUES (?, ?)", number, now)
        record(tx, now, by, "made public" if public else "made private", source)


def public_sources(control: ControlStore) -> dict[str, int]:
    """The sources that are public: their numbers by name."""
    sql = "SELECT s.name, s.id FROM sources s JOIN public_sources p ON p.source = s.id ORDER BY s.name"
    return dict(control.all(sql))


def public_source(control: ControlStore, name: str) -> int:
    """The number of a public source. AdminError if there is none with this name."""
    number = public_sources(control).get(name)
    if number is None:
        raise AdminError("nothing is public here")
    return number


def published_weeks(control: ControlStore, source: int) -> Weeks:
    """Every week that was published, the earliest first."""
    weeks: Weeks = {
        week: {}
        for (week,) in control.all("SELECT week FROM public_weeks WHERE source = ? ORDER BY week", source)
    }
    sql = "SELECT week, kind, word, value, made_from, of_all FROM public_cells WHERE source = ? ORDER BY week"
    for week, kind, word, *numbers in control.all(sql, source):
        # Another collector may have published it since the first question.
        weeks.setdefault(week, {})[kind, word] = Cell(*numbers)
    return weeks


@with_retries
def store_weeks(control: ControlStore, source: int, weeks: Weeks) -> None:
    """Publish these weeks, all or none, but none that a collector has published."""
    with control.transaction() as tx:
        for week, cells in weeks.items():
            sql = "INSERT INTO public_weeks (source, week) VALUES (?, ?) ON CONFLICT DO NOTHING"
            if not tx.execute(sql, source, week):
                continue
            for (kind, word), cell in cells.items():
                tx.execute(
                    "INSERT INTO public_cells (source, week, kind, word, value, made_from, of_all)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    *(source, week, kind, word, cell.value, cell.made_from, cell.of),
                )
