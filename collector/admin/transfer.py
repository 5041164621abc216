"""Import and export of events as JSON lines."""

from __future__ import annotations

import gzip
import io
import json
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import IO

from collector.admin import keys
from collector.admin.comparison import DayCounts
from collector.base.events import Event
from collector.base.http import Refused
from collector.base.times import EARLIEST, read_time
from collector.ingest import decode
from collector.store import EventStore, Stores

Progress = Callable[[int], None]

EVENTS_AT_ONCE = 1000
# A longer line cannot be an event: stored, 32 KiB may take almost four times as much (1e15 is written out
# as 1000000000000000.0), and so may what it shared with its batch.
LONGEST_LINE = 4 * (decode.MAX_EVENT + decode.MAX_SHARED)
# So many of the lines that are no events are named; the others are only counted.
MOST_NAMED = 10
# How often it is looked whether another collector has counted what waits.
LOOK_SECONDS = 0.1


class Rejects:
    """The lines of an import that are no events. They are told by number and reason, never by their text."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.count = 0
        self.damage = ""
        """Where the file itself cannot be read any further."""
        self._tell = tell

    def add(self, number: int, why: str) -> None:
        self.count += 1
        if self.count <= MOST_NAMED:
            self._tell(f"line {number} is rejected: {why}")
        elif self.count == MOST_NAMED + 1:
            self._tell("more lines are rejected; they are only counted")


class Targets:
    """The sources that an import stores into: one, or for each line the one that it names."""

    def __init__(self, stores: Stores, name: str | None, now: int) -> None:
        self._stores, self._name, self._now = stores, name, now
        self._numbers: dict[str, int] = {}
        self._made: list[str] = []

    def number_of(self, named: object) -> int:
        """The number of the source of a line. It is created if it does not exist."""
        name = self._name or named
        if not isinstance(name, str) or not name:
            raise Refused(400, "no_source", "the event names no source; name one with --source")
        if name not in self._numbers:
            self._numbers[name], made = keys.make_source(self._stores.control, name, self._now)
            self._made += [name] * made
        return self._numbers[name]

    def drop_unused(self) -> list[str]:
        """Delete those that were created and have no event; the names of the others that were created."""
        return [name for name in self._made if not keys.drop_unused_source(self._stores, self._numbers[name])]


def import_events(
    store: EventStore,
    source_of: Callable[[object], int],
    lines: IO[bytes],
    now: int,
    progress: Progress,
    rejects: Rejects,
    days: DayCounts | None = None,
) -> tuple[int, int]:
    """Store the events of a file of JSON lines; returns how many were read and how many were new.

    `source_of` says into which source, by what a line names. `days`, if given, counts what was read. Reads
    what `rollcall-collector export` and `rollcall export` write, plain or gzip. A line that is not an event
    goes to `rejects`, and costs no other. The same file can be imported again.
    """
    events = _events_in(_unzipped(lines), source_of, now, rejects)
    return add_in_chunks(store, days.counted(events) if days else events, progress)


def add_in_chunks(store: EventStore, events: Iterator[Event], progress: Progress) -> tuple[int, int]:
    """Store and count events, also those before an error; returns how many were read and were new."""
    try:
        return _keep_in_chunks(store, events, progress)
    finally:
        while store.fold():
            pass


def wait_until_counted(store: EventStore, now: int) -> None:
    """Count all that was received by now, or wait until a server that counts at the same time has done so."""
    while (since := store.counted_until()) is not None and since <= now:
        if not store.fold():
            time.sleep(LOOK_SECONDS)


def _keep_in_chunks(store: EventStore, events: Iterator[Event], progress: Progress) -> tuple[int, int]:
    read = fresh = 0
    while True:
        chunk: list[Event] = []
        try:
            chunk.extend(islice(events, EVENTS_AT_ONCE))
        finally:
            if chunk:
                fresh += store.keep(chunk)
                read += len(chunk)
                progress(read)
        if not chunk:
            return read, fresh


def export_events(stores: Stores, out: IO[bytes], progress: Progress) -> int:
    """Write every stored event as a line with its source, oldest first; returns how many.

    A source that the control store does not have, as it may be an older copy, is named by its number.
    """
    count = 0
    leads: dict[int, str] = {}
    for piece in stores.events.export():
        unknown = {source for source, _ in piece} - leads.keys()
        if unknown:
            names = keys.name_sources(stores.control)
            leads |= {number: _lead(names.get(number, f"source {number}")) for number in unknown}
        out.writelines(f"{leads[source]}{body[1:]}\n".encode() for source, body in piece)
        count += len(piece)
        progress(count)
    return count


def _lead(name: str) -> str:
    """How a line begins, before the first field of the event."""
    return f"{{{json.dumps(decode.SOURCE_FIELD)}:{json.dumps(name)},"


def _unzipped(lines: IO[bytes]) -> IO[bytes]:
    buffered = lines if isinstance(lines, io.BufferedReader) else io.BufferedReader(lines)  # type: ignore[type-var]
    return gzip.GzipFile(fileobj=buffered) if buffered.peek(2)[:2] == b"\x1f\x8b" else buffered  # type: ignore[return-value]


def _events_in(
    lines: IO[bytes], source_of: Callable[[object], int], now: int, rejects: Rejects
) -> Iterator[Event]:
    number = 0
    try:
        while line := lines.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE and _skip_rest(lines, line):
                rejects.add(number, f"it is longer than {LONGEST_LINE} bytes")
            elif line.strip():
                try:
                    event = _event_in(line, source_of, now)
                except Refused as refused:
                    rejects.add(number, refused.message)
                else:
                    yield event
    except (OSError, EOFError, zlib.error):
        rejects.damage = f"the file is damaged after line {number}"


def _skip_rest(lines: IO[bytes], line: bytes) -> bool:
    """Read on to the end of a line; returns whether there was more of it."""
    more = False
    while line and not line.endswith(b"\n") and (line := lines.readline(LONGEST_LINE)):
        more = True
    return more


def _event_in(line: bytes, source_of: Callable[[object], int], now: int) -> Event:
    """An event from an export. Times that a collector has set stay as they are."""
    event = decode.parse_object(line)
    source = source_of(event.get(decode.SOURCE_FIELD))
    received = read_time(event.get("receivedAt"))
    if received is None or not EARLIEST <= received <= now:
        return decode.read_event(event, "", source, now)
    return decode.read_event(event, "", source, received, settled=True)
