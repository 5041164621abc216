"""Rejects, counted by source, code and library for the vendor to see. Nothing of an event is kept.

They are written together, a moment after they were answered: a power cut may cost the last second of them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from collector.base.personal import mask_addresses
from collector.base.times import DAY_MS
from collector.ingest.decode import Reject
from collector.store import ControlStore, StoreError
from collector.store.retries import with_retries

WRITE_SECONDS = 1.0
KEEP_DAYS = 90
# Names of libraries that a source has on a day; all further ones are counted together.
MAX_LIBRARIES = 20
OTHER = "other"
# A stranger may write anything here. So nothing that could be an address is taken for a name.
_NAME = re.compile(r"@?[A-Za-z][A-Za-z0-9 ._/-]{0,49}")

_ADD = (
    "INSERT INTO rejects (source, day, code, library, n, message, last) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (source, day, code, library) DO UPDATE"
    " SET n = rejects.n + excluded.n, message = excluded.message, last = excluded.last"
)


@dataclass(frozen=True)
class Counts:
    """Numbers of rejects by source, code and library, with the last message of each. Bounded."""

    by_key: dict[tuple[int, str, str], tuple[int, str]] = field(default_factory=dict)
    libraries: dict[int, set[str]] = field(default_factory=dict)

    def add(self, source: int, code: str, library: str, count: int, message: str) -> None:
        known = self.libraries.setdefault(source, set())
        if library not in known and len(known) >= MAX_LIBRARIES:
            library = OTHER
        known.add(library)
        before, _ = self.by_key.get((source, code, library), (0, ""))
        self.by_key[source, code, library] = before + count, message


class RejectCounter:
    """Counts the rejects of one server. All but `write` is called in its event loop."""

    def __init__(self, control: ControlStore, now: Callable[[], float]) -> None:
        self._control, self._now = control, now
        self._counts = Counts()
        self._writing: asyncio.Task[None] | None = None

    def count(self, source: int, rejects: Iterable[Reject]) -> None:
        for one in rejects:
            self._counts.add(source, one.code, library_name(one.library), 1, one.message)
        if self._counts.by_key and self._writing is None:
            self._writing = asyncio.ensure_future(self._write_soon())

    def write(self) -> None:
        """Write what was counted; at the end, when the event loop is gone. StoreError if that fails."""
        counts, self._counts = self._counts, Counts()
        write_counts(self._control, counts, int(self._now() * 1000))

    async def _write_soon(self) -> None:
        while self._counts.by_key:
            await asyncio.sleep(WRITE_SECONDS)
            counts, self._counts = self._counts, Counts()
            try:
                await asyncio.to_thread(write_counts, self._control, counts, int(self._now() * 1000))
            except StoreError:
                for key, value in counts.by_key.items():
                    self._counts.add(*key, *value)
        self._writing = None


def library_name(text: str) -> str:
    """A library's name as it is counted: empty if it gave none."""
    return text if not text or (_NAME.fullmatch(text) and mask_addresses(text) == text) else OTHER


@with_retries
def write_counts(control: ControlStore, counts: Counts, now: int) -> None:
    """Add to the counts of the day; those of long ago are deleted with a day's first ones."""
    day = now // DAY_MS
    folded = Counts()
    with control.transaction() as tx:
        for source in sorted(counts.libraries):
            known = tx.all("SELECT DISTINCT library FROM rejects WHERE source = ? AND day = ?", source, day)
            folded.libraries[source] = {library for (library,) in known}
            if not known:
                tx.execute("DELETE FROM rejects WHERE source = ? AND day < ?", source, day - KEEP_DAYS)
        for key, value in counts.by_key.items():
            folded.add(*key, *value)
        for (source, code, library), (count, message) in sorted(folded.by_key.items()):
            tx.execute(_ADD, source, day, code, library, count, message, now)
