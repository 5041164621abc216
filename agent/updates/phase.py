"""When the feed is asked for: once a day, at a time of day that is drawn once and kept.

The time is by the wall clock, so an outage moves nobody's: a fleet that returns asks as evenly as before.
Whoever misses it asks at the next one. Only who has missed it for two days draws another, such as a machine
that is never on at that time.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from agent.base.files import read_small, replace_file

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = 86400.0
LEAST_GAP = DAY / 2
"""A clock that is corrected by a little makes nobody ask twice on one day."""
MISSED = 2 * DAY
DRAW_AGAIN = 23 * 3600.0
"""Until the first question at a new time, another is drawn a day later. So a machine that is on for some
hours a day finds one in them."""
MAX_BYTES = 4096


class Phase(NamedTuple):
    """The time of day at which this machine asks, in seconds, and a wall time before which it does not."""

    time_of_day: float
    not_before: float


def current_phase(kept: Phase | None, now: float, uniform: Callable[[float, float], float]) -> Phase:
    """What was kept, or a new one where there is none, or it was missed, or the clock was set back."""
    if kept is not None and now - MISSED <= kept.not_before <= now + DAY:
        return kept
    return Phase(uniform(0.0, DAY), now - MISSED + DRAW_AGAIN)


def seconds_until(phase: Phase, now: float) -> float:
    """How long until the next time to ask."""
    first = max(now, phase.not_before)
    return first - now + (phase.time_of_day - first) % DAY


def phase_asked(phase: Phase, now: float) -> Phase:
    """The phase once the feed was asked for, whatever came of it."""
    return phase._replace(not_before=now + LEAST_GAP)


def read_phase(path: str) -> Phase | None:
    """What was kept; None if there is nothing, or nothing that is ours."""
    try:
        data = json.loads(read_small(path, MAX_BYTES))
        phase = Phase(float(data["timeOfDay"]), float(data["notBefore"]))
    except (OSError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
        return None
    return phase if 0 <= phase.time_of_day <= DAY else None


def write_phase(path: str, phase: Phase) -> None:
    """Keep it. OSError if that fails; the old one is then unchanged."""
    data = {"timeOfDay": phase.time_of_day, "notBefore": phase.not_before}
    replace_file(path, (json.dumps(data) + "\n").encode())
