"""Instances: who is new, back, silent or gone; what they run; how long they stay; one's heartbeats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from collector.base.ids import KEY_LENGTH, key_of
from collector.page.look import PAGE_ROWS, Cell, Look, Shown, Table, told_id, told_time
from collector.page.period import iso
from collector.page.queries import installs, instances
from collector.page.queries.instances import Instance
from collector.page.request import PageError
from collector.page.views.figures import active_chart, runs_table
from collector.store.rollups import SLOT_MS, SLOTS_A_DAY, week_of

FILTERS = ("all", "beating", "silent", "gone", "new", "returning", "never", "short-lived")
# Weeks of installation in the table of retention; older ones are history.
MOST_COHORTS = 13
SHADES = 10


@dataclass(frozen=True)
class Cohort:
    """The instances first heard from in a week, and the share that beat in each week since."""

    monday: int
    size: int
    shares: tuple[float, ...]

    def shade(self, share: float) -> int:
        return round(share * SHADES)


@dataclass(frozen=True)
class Gap:
    """A stretch without a heartbeat: from the last before it to the first after it."""

    first_slot: int
    last_slot: int

    @property
    def beats(self) -> int:
        return self.last_slot - self.first_slot + 1

    @property
    def began(self) -> int:
        return self.first_slot * SLOT_MS

    @property
    def ended(self) -> int:
        return (self.last_slot + 1) * SLOT_MS


def show(look: Look) -> Shown:
    """All instances of a source."""
    wanted = look.query.get("state", "all")
    if wanted not in FILTERS:
        raise PageError(400, f"`state` is one of {', '.join(FILTERS)}.")
    source = look.source.id
    census = look.census
    listed = instances.listed(look.store, source, wanted, look.period, look.now, _before(look), PAGE_ROWS + 1)
    chart, active = active_chart(look)
    cohorts = retention(look)
    states = {name: census.states[name, True] for name in instances.STATES}
    short_lived = sum(n for (_, lasting), n in census.states.items() if not lasting)
    versions = _ranked(census.systems, lambda key: key[0] or "unknown")
    systems = _ranked(census.systems, lambda key: f"{key[1]} {key[2]}".strip() or "unknown")
    older = _place(listed[PAGE_ROWS - 1]) if len(listed) > PAGE_ROWS else None
    counts = {"new": census.new, "returning": census.returning, **states, "short_lived": short_lived}
    data = {**counts, "older": older}
    tables = (
        Table(
            "instances", "Instances", INSTANCE_COLUMNS, [_row(one, look.now) for one in listed[:PAGE_ROWS]]
        ),
        active,
        Table("versions", "Versions, as of the last install", ("version", "instances"), versions),
        Table("systems", "Operating systems, as of the last install", ("os", "instances"), systems),
        retention_table(cohorts),
    )
    context = {
        "census": census,
        "states": states,
        "short_lived": short_lived,
        "chart": chart,
        "versions": versions,
        "systems": systems,
        "cohorts": cohorts,
        "retention": tables[-1],
        "listed": listed[:PAGE_ROWS],
        "older": older,
        "filters": FILTERS,
        "wanted": wanted,
    }
    return Shown("instances", "Instances", data, tables, context)


def show_one(look: Look, instance_id: str) -> Shown:
    """One instance, by its id."""
    one = instances.instance(look.store, look.source.id, key_of(instance_id))
    if one is None:
        raise PageError(404, "No instance of that id has reported here.")
    first, last = look.period.first * SLOTS_A_DAY, _last_slot(look)
    gaps = gaps_of(one, first, last)
    runs = installs.runs_of(look.store, look.source.id, one.id, PAGE_ROWS)
    days = [
        (day, [_mark(one, day * SLOTS_A_DAY + n, last) for n in range(SLOTS_A_DAY)]) for day in _days(look)
    ]
    beats = Table(
        "timeline",
        "Heartbeats",
        ("day", "00-06", "06-12", "12-18", "18-24"),
        [(iso(day), *(mark or "" for mark in marks)) for day, marks in days],
    )
    gap_rows = [(told_time(g.began), told_time(g.ended), g.beats) for g in gaps]
    tables = (
        beats,
        Table("gaps", "Gaps of two beats or more", ("from", "until", "beats_missed"), gap_rows),
        runs_table("runs", "Runs of the installer", runs, look.now),
        Table("instance", "This instance", INSTANCE_COLUMNS, [_row(one, look.now)]),
    )
    data = dict(zip(INSTANCE_COLUMNS, _row(one, look.now), strict=True))
    context = {
        "one": one,
        "state": one.state(look.now),
        "days": days,
        "gaps": gaps,
        "runs": runs,
        "beats": beats,
    }
    return Shown("instance", "One instance", data, tables, context)


def retention(look: Look) -> list[Cohort]:
    """The last weeks of installation up to the period's end, the newest first."""
    this_week = week_of(look.period.last)
    first = this_week - MOST_COHORTS + 1
    sizes = instances.new_by_week(look.store, look.source.id, first)
    alive = instances.retention(look.store, look.source.id, first)
    return [
        Cohort(
            week * 7 - 3,
            sizes[week],
            tuple(
                min(1.0, alive.get((week, later), 0) / sizes[week]) for later in range(week, this_week + 1)
            ),
        )
        for week in range(this_week, first - 1, -1)
        if sizes.get(week)
    ]


def retention_table(cohorts: list[Cohort]) -> Table:
    """Retention for programs: a row a cohort, a column a week since."""
    columns = ("week_of", "instances", *(f"week_{n}" for n in range(MOST_COHORTS)))
    rows: list[tuple[Cell, ...]] = []
    for cohort in cohorts:
        shares = [round(share, 4) for share in cohort.shares]
        rest = [None] * (MOST_COHORTS - len(shares))
        rows.append((iso(cohort.monday), cohort.size, *shares, *rest))
    return Table("retention", "Retention by week of installation", columns, rows)


def gaps_of(one: Instance, first: int, last: int) -> list[Gap]:
    """Where two beats or more are missing, between its first heartbeat and now, the latest first."""
    if one.last_beat is None:
        return []
    begin = max(first, _first_beat(one))
    gaps: list[Gap] = []
    since: int | None = None
    for slot in range(begin, last + 2):
        if slot <= last and not one.beat_in(slot):
            since = slot if since is None else since
        elif since is not None:
            if slot - since >= 2:  # noqa: PLR2004 - one may be late; two are a gap
                gaps.append(Gap(since, slot - 1))
            since = None
    return gaps[::-1]


INSTANCE_COLUMNS = (
    "instance",
    "state",
    "established",
    "first_seen",
    "last_seen",
    "last_beat",
    "beats",
    "version",
    "os",
)


def _row(one: Instance, now: int) -> tuple[Cell, ...]:
    return (
        told_id(one.id),
        one.state(now),
        int(one.established),
        told_time(one.first_seen),
        told_time(one.last_seen),
        told_time(one.last_beat),
        one.beats,
        one.version,
        f"{one.os} {one.os_version}".strip(),
    )


def _mark(one: Instance, slot: int, last: int) -> str | None:
    """`beat` or `missed`; None before its first heartbeat, and for what is still to come."""
    if one.beat_in(slot):
        return "beat"
    if one.last_beat is None or slot < _first_beat(one) or slot > last:
        return None
    return "missed"


def _first_beat(one: Instance) -> int:
    lowest = one.slots & -one.slots
    return one.first_day * SLOTS_A_DAY + max(lowest.bit_length() - 1, 0)


def _last_slot(look: Look) -> int:
    """The last slot that is over: a beat that is not due yet is not missed."""
    return min((look.period.last + 1) * SLOTS_A_DAY, look.now // SLOT_MS) - 1


def _days(look: Look) -> range:
    return range(look.period.first, look.period.last + 1)


def _before(look: Look) -> tuple[int, bytes]:
    at, number = look.before
    return at, min(number, 2 ** (KEY_LENGTH * 8) - 1).to_bytes(KEY_LENGTH, "big")


def _place(last: Instance) -> str:
    """Where a page ends, as `before` of the next."""
    return f"{last.last_seen}.{int.from_bytes(last.id, 'big')}"


def _ranked(
    systems: Counter[tuple[str, str, str]], name: Callable[[tuple[str, str, str]], str]
) -> list[tuple[str, int]]:
    """Instances under the names that systems go by, the most frequent first."""
    ranked: Counter[str] = Counter()
    for key, n in systems.items():
        ranked[name(key)] += n
    return sorted(ranked.items(), key=lambda item: (-item[1], item[0]))
