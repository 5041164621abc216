"""When the next heartbeat is due, and how that survives restarts, reboots and broken clocks.

All times are on CLOCK_BOOTTIME, which never jumps and goes on while the machine sleeps. The wall
clock serves one purpose: to know how long the machine was off between two boots.

A slot is one heartbeat that is to be sent. Its `base` lies on a grid of intervals, without jitter, so
that jitter never adds up; `due` is when it is sent. A slot keeps its number until its heartbeat is
recorded, so that the outbox can tell a repetition from a new one.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, NamedTuple

from agent.base.clock import Now
from agent.base.files import read_small, replace_file

if TYPE_CHECKING:
    from collections.abc import Callable

    Uniform = Callable[[float, float], float]

PROMPT = 60.0
"""A beat that is no later than this is sent at once."""

SPREAD = 4.0
"""A later beat is put off by up to this many times its lateness, an interval at most. So when a whole
fleet returns at once, its busiest minute stays under three times the mean."""


MAX_BYTES = 4096
"""A longer file is not ours."""

LAST_SLOT = 2**53
"""Slots are about seconds since 1970. A larger number is not ours, and no child would record it."""


class Pace(NamedTuple):
    """The three settings that say when, in seconds."""

    interval: float
    first_delay: float
    jitter: float


class Due(NamedTuple):
    """The next slot, and when this was last confirmed."""

    slot: int
    base: float
    due: float
    at: Now


def first_due(now: Now, pace: Pace) -> Due:
    """The first beat of an instance: after the first delay, without jitter."""
    base = now.boot + pace.first_delay
    return Due(int(now.wall), base, base, now)


def next_due(done: Due, now: Now, pace: Pace, uniform: Uniform) -> Due:
    """The slot after `done`: the next one on the grid, or a new grid if that time has passed."""
    base = done.base + pace.interval
    if base <= now.boot:
        base = now.boot + pace.interval
    return Due(max(done.slot + 1, int(now.wall)), base, base + uniform(0.0, pace.jitter), now)


def spread_due(due: Due, alive: float, now: Now, pace: Pace, uniform: Uniform) -> Due:
    """Put off a beat that became due while nothing ran, so that a fleet does not beat all at once.

    `alive` is when the daemon was last seen running. It now waits at most as long as was left then, so
    that it never runs for longer than one interval and jitter without a beat.
    """
    late = now.boot - due.due
    if late <= PROMPT:
        return due
    left = max(0.0, due.due - alive)
    at = now.boot + min(left, uniform(0.0, min(SPREAD * late, pace.interval)))
    return Due(due.slot, at, at, now)


def resumed_due(saved: Due, now: Now, pace: Pace, uniform: Uniform) -> Due:
    """What `saved` means for a daemon that starts now, perhaps after a reboot or with another clock."""
    same_boot = saved.at.boot_id and saved.at.boot_id == now.boot_id and saved.at.boot <= now.boot
    due = saved if same_boot else _bridge(saved, now, pace)
    latest = now.boot + pace.interval + pace.jitter
    if due.due > latest:  # a shorter interval was set, or the machine was restored from a snapshot
        at = now.boot + pace.interval
        return Due(due.slot, at, at + uniform(0.0, pace.jitter), now)
    return spread_due(due, due.at.boot, now, pace, uniform)


def _bridge(saved: Due, now: Now, pace: Pace) -> Due:
    """Convert `saved` to this boot's clock, by the time that passed on the wall clock."""
    off = now.wall - saved.at.wall
    if off < 0:  # the clock was set back: how long is unknown, so one beat may come early
        at = now.boot + min(pace.first_delay, max(0.0, saved.due - saved.at.boot))
        return Due(saved.slot, at, at, now)
    shift = now.boot - off - saved.at.boot
    at_then = Now(saved.at.boot + shift, saved.at.wall, now.boot_id)
    return Due(saved.slot, saved.base + shift, saved.due + shift, at_then)


def read_due(path: str) -> Due | None:
    """What was kept; None if there is nothing, or nothing that is ours. That costs one early beat at most."""
    try:
        data = json.loads(read_small(path, MAX_BYTES))
        slot, boot_id = data["slot"], data["bootId"]
        base, due, boot, wall = numbers = [float(data[key]) for key in ("base", "due", "boot", "wall")]
    except (OSError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
        return None
    ours = (
        type(slot) is int
        and 0 <= slot <= LAST_SLOT
        and isinstance(boot_id, str)
        and all(map(math.isfinite, numbers))
    )
    return Due(slot, base, due, Now(boot, wall, boot_id)) if ours else None


def write_due(path: str, due: Due) -> None:
    """Keep `due`. OSError if that fails; the old one is then unchanged."""
    boot, wall, boot_id = due.at
    data = due._asdict() | {"boot": boot, "wall": wall, "bootId": boot_id}
    del data["at"]
    replace_file(path, (json.dumps(data) + "\n").encode())


def wall_time(due: Due, now: Now) -> float:
    """When the slot is due on the wall clock as it is now; only for people to read."""
    if due.at.boot_id == now.boot_id:
        return now.wall + due.due - now.boot
    return due.at.wall + due.due - due.at.boot
