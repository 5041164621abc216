"""A heartbeat in a few bytes: what changes from beat to beat, and the number of its shape.

A shape is the JSON of a heartbeat without its ids and times. A fleet has a few: one for each version of the
library that sends. So the text of a heartbeat is not kept, but made again, to the letter.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from collector.base.events import BEAT, Event
from collector.base.ids import as_uuid
from collector.base.times import DAY_MS, USUAL, corrected, read_time, write_time

UUID_V7 = 7
# A longer text says more than that something lives, and is kept as it is.
LONGEST_SHAPE = 2000
# The clock of a machine may be wrong by so much, and a heartbeat may come so much later than it was made.
# Others are kept as they are. So the id says when a heartbeat happened, and in which days it is to be found.
CLOCK_MS = 3_600_000
LATE_MS = 7 * DAY_MS
_LARGEST_DELAY = 2**31 - 1
# One stands in a shape for each text that was taken out. No JSON has these characters.
_MARKS = "\x01\x02\x03\x04\x05\x06"
_ORIGINAL, _SENT = '"originalTimestamp":"', '"sentAt":"'
# The heartbeat of the agent, by any name and version of its library, and nothing else. So a shape says
# nothing of anybody, and may stay when its heartbeats are deleted.
_WORD = "[A-Za-z0-9_.+-]{1,40}"
_AGENT = re.compile(
    r'{"type":"track","event":"Instance Active","anonymousId":\x01,"messageId":\x02,\x03,'
    rf'"context":{{"library":{{"name":"{_WORD}","version":"{_WORD}"}},"ip":"0\.0\.0\.0"}},"integrations":{{}},'
    r'"properties":{"instanceId":\x01},\x05,\x04,\x06}'
)


class Beat(NamedTuple):
    """What changes from beat to beat."""

    id: bytes
    who: bytes
    received: int
    original: int  # when it happened by the clock of its machine
    sent: int  # when it was sent by that clock

    @property
    def time(self) -> int:
        """When it happened by our clock."""
        return corrected(self.received, self.sent, self.original)

    @property
    def made(self) -> int:
        """The time in its id: the same, however often it arrives."""
        return time_in(self.id)

    @property
    def day(self) -> int:
        """The day in its id."""
        return self.made // DAY_MS

    @property
    def in_time(self) -> bool:
        """Whether its clock was right and it came soon, so that its id says when it happened."""
        made, time, delay = self.made, self.time, self.sent - self.original
        return (
            abs(self.original - made) <= CLOCK_MS
            and abs(time - made) <= CLOCK_MS
            and self.received - made <= LATE_MS
            and abs(delay) <= _LARGEST_DELAY
            and time == self.received - max(delay, 0)
        )


def time_in(key: bytes) -> int:
    """The time in an id that is a UUIDv7."""
    return int.from_bytes(key[:6], "big")


def narrow_beat(event: Event) -> tuple[Beat, str] | None:
    """A heartbeat of the agent that came in time, and its shape; None if it is to be kept as it is."""
    found = shape_of(event)
    return found if found and found[0].in_time and _of_agent(found[1]) else None


@lru_cache(maxsize=1000)
def _of_agent(shape: str) -> bool:
    return _AGENT.fullmatch(shape) is not None


def shape_of(event: Event) -> tuple[Beat, str] | None:
    """A heartbeat and its shape; None if its text could not be made again from these."""
    if event.name != BEAT or event.who is None or event.id[6] >> 4 != UUID_V7:
        return None
    original, sent = _time_after(event.body, _ORIGINAL), _time_after(event.body, _SENT)
    if original is None or sent is None:
        return None
    beat = Beat(event.id, event.who, event.received, original, sent)
    shape = event.body
    for mark, text in zip(_MARKS, _texts(beat), strict=True):
        shape = shape.replace(text, mark)
    whole = all(mark in shape for mark in _MARKS) and beat.time == event.time and event.run is None
    return (beat, shape) if whole and len(shape) <= LONGEST_SHAPE else None


def text_of(beat: Beat, shape: str) -> str:
    """The JSON of a heartbeat."""
    for mark, text in zip(_MARKS, _texts(beat), strict=True):
        shape = shape.replace(mark, text)
    return shape


def _texts(beat: Beat) -> tuple[str, ...]:
    return (
        f'"{as_uuid(beat.who)}"',
        f'"{as_uuid(beat.id)}"',
        f'"timestamp":"{write_time(beat.time)}"',
        f'{_ORIGINAL}{write_time(beat.original)}"',
        f'"receivedAt":"{write_time(beat.received)}"',
        f'{_SENT}{write_time(beat.sent)}"',
    )


def _time_after(body: str, name: str) -> int | None:
    start = body.rfind(name) + len(name)
    return read_time(body[start : start + USUAL])
