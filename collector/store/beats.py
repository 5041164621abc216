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
from collector.base.times import DAY_MS, corrected, read_time, write_time

UUID_V7 = 7
# The clock of a machine may be wrong by so much, and a heartbeat may come so much later than it was made.
# Others are kept as they are. So the id says when a heartbeat happened, and in which days it is to be found.
CLOCK_MS = 3_600_000
LATE_MS = 7 * DAY_MS
_LARGEST_DELAY = 2**31 - 1

# One stands in a shape for each text that changes. No JSON has these characters.
_MARKS = tuple("\x01\x02\x03\x04\x05\x06")
# The heartbeat of the agent, by any name and version of its library, and nothing else. So a shape says
# nothing of anybody, and may stay when its heartbeats are deleted.
_FORM = (
    '{{"type":"track","event":"Instance Active","anonymousId":{who},"messageId":{id},"timestamp":{time},'
    '"context":{{"library":{{"name":"{name}","version":"{version}"}},"ip":"0.0.0.0"}},"integrations":{{}},'
    '"properties":{{"instanceId":{who}}},"receivedAt":{received},"originalTimestamp":{original},"sentAt":{sent}}}'
)
_WORD = "([A-Za-z0-9_.+-]{1,40})"
_LIBRARY = re.compile(f'"library":{{"name":"{_WORD}","version":"{_WORD}"}}')
_UUID = '"([0-9a-f-]{36})"'
# With an hour that is written in one way alone: some read 24:00 as the next day.
_TIME = '"([0-9]{4}-[0-9]{2}-[0-9]{2}T[012][0-9]:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z)"'


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


class NarrowBeat(NamedTuple):
    """A heartbeat as numbers that are mostly small, beside its ids."""

    id: bytes
    who: bytes
    received: int  # since the day in its id began
    delay: int  # from when it happened until it was sent
    skew: int  # from the time in its id to when it happened

    def on(self, day: int) -> Beat:
        """The heartbeat, if its id is of this day."""
        original = time_in(self.id) + self.skew
        return Beat(self.id, self.who, day * DAY_MS + self.received, original, original + self.delay)


def time_in(key: bytes) -> int:
    """The time in an id that is a UUIDv7."""
    return int.from_bytes(key[:6], "big")


Narrowed = tuple[int, NarrowBeat, str]


def narrow_beat(event: Event) -> Narrowed | None:
    """The day, the numbers and the shape of a heartbeat of the agent that came in time; None for all else.

    Limits ask for it before the store does, so the event holds it.
    """
    held = vars(event)
    if "narrowed" not in held:
        held["narrowed"] = _narrow_beat(event)
    narrowed: Narrowed | None = held["narrowed"]
    return narrowed


def _narrow_beat(event: Event) -> Narrowed | None:
    key, who, time, received = event.id, event.who, event.time, event.received
    if event.name != BEAT or who is None or event.run is not None or key[6] >> 4 != UUID_V7:
        return None
    match = _AGENT.fullmatch(event.body)
    if match is None:
        return None
    texts = match.groups()
    if texts[:3] != (as_uuid(who), as_uuid(key), write_time(time)) or texts[6] != write_time(received):
        return None
    original, sent = read_time(texts[7]), read_time(texts[8])
    if texts[5] != texts[0] or original is None or sent is None:
        return None
    made, delay = time_in(key), sent - original
    if not _in_time(made, time, received, original, delay):
        return None
    day = made // DAY_MS
    beat = NarrowBeat(key, who, received - day * DAY_MS, delay, original - made)
    return day, beat, _shape(texts[3], texts[4])


def library_of(shape: str) -> str:
    """The library that sends heartbeats of this shape: its version, after its name if it is not the agent."""
    found = _LIBRARY.search(shape)
    name, version = found.groups() if found else ("", "")
    return version if name == "rollcall" else f"{name} {version}"


def text_of(beat: Beat, shape: str) -> str:
    """The JSON of a heartbeat."""
    texts = (as_uuid(beat.who), as_uuid(beat.id), *map(write_time, (beat.time, *beat[2:])))
    for mark, text in zip(_MARKS, texts, strict=True):
        shape = shape.replace(mark, f'"{text}"')
    return shape


def _in_time(made: int, time: int, received: int, original: int, delay: int) -> bool:
    """Whether its clock was right and it came soon, so that its id says when it happened."""
    return (
        abs(original - made) <= CLOCK_MS
        and abs(time - made) <= CLOCK_MS
        and received - made <= LATE_MS
        and abs(delay) <= _LARGEST_DELAY
        and time == received - max(delay, 0)
    )


@lru_cache(maxsize=1000)
def _shape(name: str, version: str) -> str:
    who, key, time, received, original, sent = _MARKS
    return _FORM.format(
        who=who,
        id=key,
        time=time,
        name=name,
        version=version,
        received=received,
        original=original,
        sent=sent,
    )


def _agent() -> re.Pattern[str]:
    sample = re.escape(_shape("NAME", "VERSION"))
    for mark, pattern in zip(_MARKS, (_UUID, _UUID, _TIME, _TIME, _TIME, _TIME), strict=True):
        sample = sample.replace(re.escape(mark), pattern)
    return re.compile(sample.replace("NAME", _WORD).replace("VERSION", _WORD))


_AGENT = _agent()
