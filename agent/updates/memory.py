"""What the state directory keeps: the last good feed with its signature, and when this instance asks.

The file `updates.json` has what concerns the version in use as well, so that the product may read it.
"""

from __future__ import annotations

import json
import math
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.base.files import read_small, replace_file

if TYPE_CHECKING:
    from agent.base.statedir import StateDir

MOST_BYTES = 1024 * 1024
DAY_SECONDS = 86_400
_STEPS = 1_000_000


@dataclass
class Memory:
    """All but `phase` is empty until a feed was asked for."""

    phase: float
    """When in the day this instance asks: a random part of it. It is its place in staged rollouts too."""
    feed: str = ""
    signature: str = ""
    asked: float | None = None
    trouble: str | None = None
    """Why the last question brought nothing."""

    def seconds_to_ask(self, now: float) -> float:
        """Seconds until this instance asks again: at the same time of each day, whatever has happened."""
        return (self.phase * DAY_SECONDS - now) % DAY_SECONDS or float(DAY_SECONDS)


def read_memory(state: StateDir) -> Memory | None:
    """What is kept; None if there is nothing, or nothing that is ours."""
    try:
        found = json.loads(read_small(state.updates, MOST_BYTES))
        phase, asked = float(found["phase"]), float(found["askedAt"] or 0)
        feed, signature, trouble = found["feed"], found["signature"], found["lastError"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
    ours = isinstance(feed, str) and isinstance(signature, str) and isinstance(trouble, (str, type(None)))
    if not ours or not 0 <= phase < 1 or not math.isfinite(asked):
        return None
    return Memory(phase, feed, signature, asked or None, trouble)


def new_memory() -> Memory:
    """Of an instance that has never asked."""
    return Memory(secrets.randbelow(_STEPS) / _STEPS)


def write_memory(state: StateDir, memory: Memory, verdict: dict[str, object]) -> None:
    """Keep it, beside what is told to the product."""
    state.make()
    kept = {
        "phase": memory.phase,
        "askedAt": memory.asked,
        "lastError": memory.trouble,
        "feed": memory.feed,
        "signature": memory.signature,
    }
    replace_file(state.updates, (json.dumps({**verdict, **kept}) + "\n").encode())
