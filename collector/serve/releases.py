"""The release feeds of the sources, as files. A request is not counted, and nothing is noted of who asks."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256

from collector.base import http
from collector.base.http import Answer, Scope
from collector.releases.published import published_digests, published_feed
from collector.store import ControlStore, StoreError

# Within this time, a feed that was published by another process is served.
REFRESH_SECONDS = 5.0
START, FEED, SIGNATURE = "/releases/", ".json", ".json.minisig"
CACHE = (b"cache-control", b"public, max-age=300")
VARY = (b"vary", b"accept-encoding")
UNKNOWN = Answer(404, b"no release feed is published here\n", http.TEXT)
AWAY = Answer(503, b"the store does not answer\n", http.TEXT, ((b"retry-after", b"5"),))


@dataclass(frozen=True)
class File:
    """What is served at one address. The tag is the SHA-256 of the body, which the agent computes too."""

    body: bytes
    kind: bytes
    packed: bytes
    tag: str

    def answer(self, scope: Scope) -> Answer:
        """The file, packed if the client takes that; 304 if it has it."""
        packed = bool(self.packed) and _takes_gzip(http.header(scope, b"accept-encoding"))
        known = _tags(",".join(http.headers(scope, b"if-none-match")))
        tags = [f'"{self.tag}"', f'"{self.tag}-gzip"']  # a strong tag names the bytes that are sent
        found = next((tag for tag in tags if tag in known or "*" in known), None)
        tag = (b"etag", (found or tags[packed]).encode())
        if found:
            return Answer(http.NOT_MODIFIED, headers=(tag, CACHE, VARY))
        encoding = ((b"content-encoding", b"gzip"),) if packed else ()
        body = self.packed if packed else self.body
        return Answer(200, body, self.kind, (tag, CACHE, VARY, *encoding))


class ReleaseFiles:
    """The files by their paths, in memory: they are served while the store does not answer, too."""

    def __init__(self, control: ControlStore, clock: Callable[[], float], timeout: float) -> None:
        self._control, self._clock, self._timeout = control, clock, timeout
        self._files: dict[str, File] = {}
        self._seen: dict[str, tuple[int, str, int]] = {}
        self._at = float("-inf")
        self._lock = asyncio.Lock()
        self._away = True

    def find(self, path: str) -> Callable[[Scope], Awaitable[Answer]] | None:
        """What answers at this path; None if the path is not one of a feed."""
        if not path.startswith(START) or not path.endswith((FEED, SIGNATURE)):
            return None

        async def answer(scope: Scope) -> Answer:
            await self._refresh()
            if path in self._files:
                return self._files[path].answer(scope)
            return AWAY if self._away else UNKNOWN

        return answer

    async def _refresh(self) -> None:
        async with self._lock:
            if self._clock() - self._at <= REFRESH_SECONDS:
                return
            try:
                await asyncio.wait_for(asyncio.to_thread(self._read), self._timeout)
                self._away = False
            except (StoreError, asyncio.TimeoutError):
                self._away = True
            self._at = self._clock()

    def _read(self) -> None:
        """Read the feeds that have changed. Nothing is read of those that have not, which are large."""
        published = published_digests(self._control)
        if published == self._seen:
            return
        files: dict[str, File] = {}
        for name, entry in published.items():
            path = f"{START}{name}"
            if entry == self._seen.get(name):
                files |= {path + end: self._files[path + end] for end in (FEED, SIGNATURE)}
            elif found := published_feed(self._control, entry[0]):
                packed = gzip.compress(found.data, mtime=0)
                files[path + FEED] = File(found.data, http.JSON, packed, entry[1])
                signature = found.signature.encode()
                files[path + SIGNATURE] = File(signature, http.TEXT, b"", sha256(signature).hexdigest())
        self._files, self._seen = files, published


def _tags(text: str) -> set[str]:
    """The tags in If-None-Match, where a weak one counts as well."""
    return {tag.strip().removeprefix("W/") for tag in text.split(",")}


def _takes_gzip(text: str) -> bool:
    """Whether Accept-Encoding names gzip, and not with the weight 0."""
    for one in text.lower().split(","):
        name, _, weight = one.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "").rstrip("0.") != "q="
    return False
