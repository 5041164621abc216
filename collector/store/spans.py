"""Days and weeks with a heartbeat, read from an instance's set of six-hour slots."""

from __future__ import annotations

from collections.abc import Iterator

from collector.base.times import DAY_MS, MONTH, WEEK

SLOT_MS = 6 * 3_600_000
SLOTS_A_DAY = DAY_MS // SLOT_MS
# An instance is active if it sent a heartbeat in so many days.
SPANS = (1, WEEK, MONTH)

_DAY = (1 << SLOTS_A_DAY) - 1
_WEEK = (1 << WEEK * SLOTS_A_DAY) - 1


def week_of(day: int) -> int:
    """The week of a day, counted from Monday 1969-12-29."""
    return (day + 3) // WEEK


def days_of(slots: int) -> int:
    """The days with a heartbeat in any slot: bit 4n stands for day n."""
    if slots <= _DAY:
        return int(slots > 0)
    folded = slots | slots >> 1 | slots >> 2 | slots >> 3
    return folded & (1 << (slots.bit_length() + 3) // 4 * 4) // 15  # 0x…1111


def edges(days: int, span: int) -> tuple[int, int]:
    """The days on which an instance comes to life, and those on which it no longer counts.

    It counts as alive on each heartbeat's day and span - 1 more. Bit 4n stands for day n, as in `days_of`.
    """
    if days == 1:
        return 1, 1 << span * SLOTS_A_DAY
    width = 1
    while width < span:
        step = min(width, span - width)
        days |= days << step * SLOTS_A_DAY
        width += step
    after = days << SLOTS_A_DAY
    return days & ~after, after & ~days


def weeks_of(first_day: int, days: int) -> tuple[int, int]:
    """The week of a day, and the weeks with a heartbeat: bit n stands for that week + n."""
    days <<= (first_day + 3) % WEEK * SLOTS_A_DAY
    weeks = offset = 0
    while days:
        weeks |= bool(days & _WEEK) << offset
        days >>= WEEK * SLOTS_A_DAY
        offset += 1
    return week_of(first_day), weeks


def bits_of(mask: int, width: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield (lowest.bit_length() - 1) // width
        mask ^= lowest
