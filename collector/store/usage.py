"""How many bytes of disk an event may take, and how much a key may still add.

The bytes are an upper bound, whatever the event holds: its row, its entries in every index, and what it
adds to the rows of its instance and its run. `tests/collector/store/test_usage.py` measures both stores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain, repeat

from collector.base.events import BEAT, Event
from collector.base.times import DAY_MS
from collector.store.beats import narrow_beat
from collector.store.spans import SLOT_MS

HOUR_MS = 3_600_000
DAY_HOURS = 24

PAGE = 4096
# What an event's row and its entries in indexes take, without their texts: the same for its instance.
# A narrow heartbeat takes no more, because it has no text.
_EVENT = 760
# The row of a run, with its entries in indexes and counters.
_RUN = 1500
# Counters of a day for which there were none.
_OLD, _OLD_MS = 800, 2 * DAY_MS
# Heartbeats of an instance are a row of bits, one for each six hours from the first to the last.
_BITS_MS = 8 * SLOT_MS
# Longer values do not fit into a page of an index, and take one of their own.
_LONG = 600
_LONG_NAME = 100


def stored_bytes(event: Event) -> int:
    """The bytes of disk that an event takes at most."""
    return _EVENT if narrow_beat(event) else wide_bytes(event)


def wide_bytes(event: Event) -> int:
    """The bytes of disk that an event takes at most if it is stored with its JSON."""
    name, body = _size(event.name), _size(event.body)
    # The name is in its column, in an index, and in the words and counters of two days; a long one fills
    # their pages badly.
    size = _EVENT + body + name * (12 if name > _LONG_NAME else 5)
    if body > PAGE // 5:
        size += min(body, PAGE // 2)  # what stays empty in a page of long rows
    age = event.received - event.time
    if age > _OLD_MS:
        size += _OLD
    if event.fact is None:
        return size
    if event.name == BEAT:
        bits = age // _BITS_MS
        return size + bits + (PAGE if bits > _LONG else 0)
    texts = sum(_size(text) for text in event.fact if isinstance(text, str))
    return size + _RUN + 6 * texts + (4 * PAGE if texts > _LONG else 0)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def usage_rows(
    wide: Iterable[Event], narrow: Iterable[Event], lane: int
) -> list[tuple[int, int, int, int, int]]:
    """What each key has added in each hour, in the lane of this process: events and bytes."""
    counts: Counter[tuple[int, int]] = Counter()
    sizes: Counter[tuple[int, int]] = Counter()
    for event, size in chain(((event, wide_bytes(event)) for event in wide), zip(narrow, repeat(_EVENT))):
        if event.key is not None:
            hour = (event.key, event.received // HOUR_MS)
            counts[hour] += 1
            sizes[hour] += size
    return [(*hour, lane, counts[hour], sizes[hour]) for hour in sorted(counts)]


def bytes_left(used: Mapping[int, int], now: int, daily: int) -> float:
    """What a key may add at once, from the bytes that it added in each hour.

    Half of a day's bytes may come at once, and the other half comes evenly over the day: so in no 24 hours
    come more than a day's. Within an hour the order is not known, and the one that leaves less is taken.
    """
    burst = refill = daily / 2
    hour, left = now // HOUR_MS, burst
    for past in range(hour - 2 * DAY_HOURS, hour):
        left = min(burst, left + refill / DAY_HOURS) - used.get(past, 0)
    passed = now % HOUR_MS / HOUR_MS
    return min(burst, left + refill / DAY_HOURS * passed) - used.get(hour, 0)
