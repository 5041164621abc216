"""What events say of instances, as rows of the table `instances`: the bytes of states of aggregate functions.

ClickHouse takes a state as it would write it itself. So these rows are inserted as all others are, and again
to the letter if need be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from struct import pack

from collector.base.events import BEAT
from collector.base.times import DAY_MS
from collector.store.clickhouse.tables import EVENTS
from collector.store.clickhouse.text import Row

# Facts are a text that sorts by its time: a number of 19 digits, and words with an end that no word has.
FACT_BASE, FACT_WORDS = 10**18, 21  # and where in it the words begin
# A time and the number of an environment, as one number.
ENVIRONMENTS_FIT = 8

_COLUMNS = {name: at for at, name in enumerate(EVENTS.names.split(", "))}
_TOLD = [_COLUMNS[name] for name in ("source", "who", "time", "name", "run", "telling", "environment")]
_WORDS = slice(_COLUMNS["version"], _COLUMNS["os_version"] + 1)


def sightings_in(rows: Iterable[Row]) -> list[Row]:
    """What rows of events say of instances: one row for each."""
    told: defaultdict[tuple[int, bytes], list[Row]] = defaultdict(list)
    for row in rows:
        source, who, *_, telling, _ = (row[at] for at in _TOLD)
        if telling and who is not None:
            told[source, who].append(row)
    return [(*key, *_states_of(some)) for key, some in sorted(told.items())]


def no_sighting(source: int, key: bytes, at: int) -> Row:
    """A row that says nothing, which differs from others by a time."""
    return (source, key, number_state([at]), number_state([]), number_state([]), *_NOTHING)


def read_facts(facts: str) -> tuple[int, str, str, str]:
    """When the facts of an instance were told; its version, its system, and the version of that."""
    at, version, os, os_version = facts.split("\0")
    return int(at) - FACT_BASE, version, os, os_version


def _states_of(rows: Iterable[Row]) -> Iterator[bytes]:
    times, beats, facts, said = list[int](), list[int](), list[str](), list[int]()
    for row in rows:
        _, _, time, name, run, _, environment = (row[at] for at in _TOLD)
        times.append(time)
        if name == BEAT:
            beats.append(time)
        else:
            facts.append("\0".join((str(FACT_BASE + time), *row[_WORDS])))
            said += [] if run is None else [time * ENVIRONMENTS_FIT + environment]
    yield number_state([min(times)])
    yield from (number_state(values) for values in (times, beats, said))
    yield text_state(max(facts, default=""))
    yield set_state({time // DAY_MS for time in beats})


def number_state(values: Sequence[int]) -> bytes:
    """The state of `max` of some numbers, which of one number is that of `min` too."""
    return b"\1" + pack("<q", max(values)) if values else b"\0"


def text_state(text: str) -> bytes:
    """The state of `max` of one text; of none if it is empty."""
    data = text.encode("utf-8", "surrogatepass")
    return pack("<i", len(data) + 1) + data + b"\0" if data else pack("<i", -1)


def set_state(numbers: set[int]) -> bytes:
    """The state of `groupUniqArray`."""
    size, head = len(numbers), bytearray()
    while size >= 0x80:  # noqa: PLR2004 - seven bits to a byte
        head.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*head, size]) + b"".join(pack("<I", number) for number in sorted(numbers))


_NOTHING = (number_state([]), text_state(""), set_state(set()))
