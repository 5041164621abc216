"""Where the list of a state looks for its instances: in parts of indexes, those that were seen last first.

The other order takes the same parts from their other ends.

An instance is last seen with its last heartbeat or later. So whoever fell silent at a time is among those
that were last seen before it, or among the few that were seen by other events since their last heartbeat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from collector.base.times import DAY_MS
from collector.store.fleet import ACTIVE, GONE_MS, SILENT_MS
from collector.store.rows import ESTABLISHED_MS

EVER = 2**62

_LASTING = f"last_seen - first_seen > {ESTABLISHED_MS}"


@dataclass(frozen=True)
class Walk:
    """Instances that were last seen after one time and until another, by an index."""

    wanted: str = ""  # which of them, if not all
    values: tuple[Any, ...] = ()
    after: int = -1
    until: int = EVER
    index: str = "instances_by_seen"
    part: str = ""  # what the index has

    def narrowed(self, condition: str, values: tuple[Any, ...]) -> Walk:
        """The walk to those of them that meet another condition, too."""
        wanted = f"{condition} AND {self.wanted}" if self.wanted else condition
        return replace(self, wanted=wanted, values=(*values, *self.values))


def walks_of(state: str, since: int, until: int, now: int) -> list[Walk]:
    """The walks of a list, one after the other."""
    silent, gone = now - SILENT_MS, now - GONE_MS
    walks: dict[str, list[Walk]] = {
        "beating": _beating_since(silent),
        **{state: _beating_since(now - days * DAY_MS) for days, state in ACTIVE.items()},
        "silent": _fallen(f"{_LASTING} AND last_beat <= ? AND last_beat > ?", (silent, gone), gone, silent),
        "gone": _fallen(f"{_LASTING} AND last_beat <= ?", (gone,), -1, gone),
        "never": [Walk(_LASTING, index="instances_never", part=" AND last_beat IS NULL")],
        "new": [Walk(f"{_LASTING} AND first_seen >= ? AND first_seen < ?", (since, until), after=since - 1)],
        "returning": [Walk(f"{_LASTING} AND first_seen < ?", (since,), after=since - 1)],
        "short-lived": [
            Walk(index="instances_brief", part=f" AND last_seen - first_seen <= {ESTABLISHED_MS}"),
        ],
    }
    return walks.get(state, [Walk()])


def _beating_since(time: int) -> list[Walk]:
    """Those that sent a heartbeat after a time."""
    return [Walk(f"{_LASTING} AND last_beat > ?", (time,), after=time)]


def _fallen(wanted: str, values: tuple[int, ...], after: int, until: int) -> list[Walk]:
    """Those that sent no heartbeat since a time: first those that were seen since."""
    seen_since = Walk(
        wanted, values, after=until, index="instances_seen_since", part=" AND last_seen > last_beat"
    )
    return [seen_since, Walk(wanted, values, after=after, until=until)]
