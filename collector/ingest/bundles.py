"""POST /v1/bundles: a sealed support bundle arrives in parts, for whoever has a write key.

The address says what comes: `?sha256=…&size=…&offset=…`, and two headers say whose it is. Whoever knows an
instance id may have it forgotten, so it is not in the address, which logs have. The answer says how much is
stored, so that a sender whose connection broke goes on from there. A request without a body only asks. A
stranger with the write key can take memory, disk and time of other bundles only, and of these a part.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from urllib.parse import parse_qs

import msgspec

from collector.base import http
from collector.base.http import Answer, Receive, Refused, Scope, Send
from collector.base.ids import key_of
from collector.base.limits import RETRY_SECONDS, TokenBuckets
from collector.base.peers import peer_in
from collector.base.room import Holding, NoRoom, Room
from collector.base.sealed import MAX_SEALED, thumbprint_in
from collector.ingest.allowance import DAY_SECONDS, LONGEST_WAIT, PEER_SHARE, Allowance
from collector.ingest.api import basic_key, json_error, refusal
from collector.ingest.disk import DiskGuard
from collector.ingest.forget import LONGEST_ID
from collector.ingest.keyring import KeyRing
from collector.ingest.memory import receive_body
from collector.ingest.metrics import Metrics
from collector.settings import Settings
from collector.store import ControlStore, StoreError, bundles
from collector.store.bundles import NewBundle

PATH = "/v1/bundles"
MAX_PART = 256 * 1024
LEAST_PART = 64 * 1024  # of all but the last: each is a transaction
# Memory for parts that arrive; one peer may have half of it.
MEMORY = 4 * 2**20
_SEALED = re.compile(rb"[A-Za-z0-9_.-]*")
INSTANCE, RUN = "Rollcall-Instance", "Rollcall-Run"


class OtherOffset(Exception):  # noqa: N818 - an outcome
    """The part is not the next one; so many bytes are stored."""

    def __init__(self, received: int) -> None:
        super().__init__(received)
        self.received = received


class BundleIntake:
    """Takes the bundles that come to one server."""

    def __init__(
        self,
        settings: Settings,
        control: ControlStore,
        ring: KeyRing,
        metrics: Metrics,
        allowance: Allowance,
        disk: DiskGuard,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._control, self._ring, self._metrics = settings, control, ring, metrics
        self._allowance, self._disk, self._now = allowance, disk, now
        self._memory = Room(MEMORY, clock)
        share = settings.bundles * PEER_SHARE
        self._peers: TokenBuckets[tuple[int, str]] = TokenBuckets(share / DAY_SECONDS, share, clock)
        self._turn = asyncio.Lock()  # one part is written at a time, so that events have theirs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        try:
            answer = await self._answer(scope, receive)
        except Refused as refused:
            answer = refusal(refused)
        except OtherOffset as other:
            said = {"success": False, "code": "offset", "message": "send the part from `received` on"}
            answer = Answer(409, msgspec.json.encode({**said, "received": other.received}))
        except StoreError:
            answer = refusal(
                Refused(503, "store_away", "the part could not be stored; try again", RETRY_SECONDS)
            )
        except NoRoom:
            answer = refusal(Refused(503, "busy", "the server is busy; try again later", RETRY_SECONDS))
        except http.ClientGone:
            return
        self._metrics.request(PATH, answer.status, time.perf_counter() - began)
        await answer.send(send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        if scope["method"] != "POST":
            return http.with_headers(json_error(405, "method", "use POST"), [(b"allow", b"POST")])
        peer = peer_in(scope, self._settings.trusted_proxies)
        self._allowance.check_peer(peer)
        self._disk.check()
        wasted = 0  # bytes that were read for nothing
        held = self._hold(peer)
        try:
            key = await self._ring.find(basic_key(http.header(scope, b"authorization")))
            if key is None:
                raise Refused(
                    401, "bad_key", "unknown write key; send it as the user of Basic authentication"
                )
            new, offset = read_query(scope["query_string"], _header(scope, INSTANCE), _header(scope, RUN))
            new = replace(new, source=key.source, key=key.id)
            if not self._settings.bundles:
                raise Refused(404, "not_found", "this collector takes no support bundles")
            if await self._is_whole(new, offset, http.declared_length(scope)):
                return progress(new.size, complete=True)
            body = await receive_body(receive, MAX_PART, held, hurried=True)
            wasted = len(body)
            answer = await self._take(new, offset, body, peer)
            wasted = 0
            self._disk.count(len(body))
            return answer
        finally:
            held.give_all()
            self._allowance.pay(None, peer, 0, wasted)

    async def _is_whole(self, new: NewBundle, offset: int, length: int) -> bool:
        """Whether it is all here; OtherOffset if a part would come that is not the next one."""
        if length > MAX_PART:
            raise http.too_large(MAX_PART)
        received, whole = await asyncio.to_thread(self._received, new)
        if not whole and length and received != offset:
            raise OtherOffset(received)
        return whole

    def _hold(self, peer: str) -> Holding:
        """Memory for this request's part, until it is stored."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        return Holding(self._memory, peer, task.cancel)

    async def _take(self, new: NewBundle, offset: int, body: bytes, peer: str) -> Answer:
        end = offset + len(body)
        if body and (not _SEALED.fullmatch(body) or end > new.size):
            raise Refused(400, "not_sealed", "this is not a sealed bundle, or it is longer than `size`")
        if body and len(body) < LEAST_PART and end < new.size:
            raise Refused(400, "short_part", f"a part must have {LEAST_PART} bytes, if it is not the last")
        begins = bool(body) and offset == 0
        if begins:
            new = replace(new, thumbprint=_thumbprint(body))
        with self._spend(new, peer) if begins else nullcontext():
            async with self._turn:
                try:
                    received, whole = await asyncio.to_thread(self._store, new, offset, body)
                except bundles.NoSpace as full:
                    raise _full(f"{full}; try again later", LONGEST_WAIT) from None
        return progress(received, complete=whole)

    @contextmanager
    def _spend(self, new: NewBundle, peer: str) -> Iterator[None]:
        """Count a new bundle for its address while its first part is written. Refused if it has enough."""
        name, size = (new.source, peer), bundles.counted_size(new.size)
        wait = self._peers.wait(name)
        if wait:
            raise _full("this address has sent many bundles; try again later", wait)
        self._peers.pay(name, size)
        try:
            yield
        except BaseException:
            self._peers.pay(name, -size)
            raise

    def _received(self, new: NewBundle) -> tuple[int, bool]:
        """How much is stored, and whether that is all. Refused if the bundle has another size."""
        received, whole, size = bundles.received_bytes(self._control, new.source, new.id)
        if size not in (None, new.size):
            raise Refused(409, "other_size", "the first part of this bundle named another `size`")
        return received, whole

    def _store(self, new: NewBundle, offset: int, body: bytes) -> tuple[int, bool]:
        """Store a part, and show the bundle if it is whole now."""
        now = int(self._now() * 1000)
        if body and offset == 0:
            bundles.begin_bundle(self._control, new, self._settings.bundles, now)
        stored = not body or bundles.add_part(self._control, new.source, new.id, offset, body)
        received, whole = self._received(new)
        if not stored and not whole:
            raise OtherOffset(received)
        if received < new.size or whole:
            return received, whole
        if not bundles.finish_bundle(self._control, new.source, new.id, now):
            raise Refused(400, "bad_hash", "the bundle's SHA-256 is not the one that was named")
        return received, True


def _header(scope: Scope, name: str) -> str:
    return http.header(scope, name.lower().encode())


def read_query(query: bytes, instance: str, run: str) -> tuple[NewBundle, int]:
    """What comes, and where the part begins. Refused if a parameter or a header is missing or wrong."""
    given = {
        name: values[0] for name, values in parse_qs(query.decode("latin-1"), keep_blank_values=True).items()
    }
    if not given.keys().isdisjoint(("instance", "run")):
        raise Refused(400, "bad_query", f"instance and run must be headers: `{INSTANCE}` and `{RUN}`")
    digest, size, offset = given.get("sha256", ""), _number(given, "size"), _number(given, "offset")
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise Refused(400, "bad_query", "`sha256` must be 64 hexadecimal digits")
    if not 0 < len(instance) <= LONGEST_ID or len(run) > LONGEST_ID:
        raise Refused(
            400, "bad_header", f"`{INSTANCE}` must have 1 to {LONGEST_ID} characters, `{RUN}` no more"
        )
    if size > MAX_SEALED:
        raise Refused(413, "too_large", f"a bundle may have at most {MAX_SEALED} bytes")
    if not size:
        raise Refused(400, "bad_query", "`size` must be more than 0")
    key = key_of(run) if run else None
    return NewBundle(0, bytes.fromhex(digest), 0, key_of(instance), key, size), offset


def _number(given: dict[str, str], name: str) -> int:
    text = given.get(name, "")
    if not re.fullmatch("[0-9]{1,12}", text):
        raise Refused(400, "bad_query", f"`{name}` must be a number of bytes")
    return int(text)


def _thumbprint(body: bytes) -> str:
    """The key that a bundle is sealed for, by its first part. Refused if it is none."""
    found = thumbprint_in(body)
    if found is None:
        raise Refused(400, "not_sealed", "this is not a sealed bundle: see docs/support.md for its form")
    return found


def progress(received: int, *, complete: bool) -> Answer:
    """The answer: how many bytes are stored, and whether that is all."""
    return Answer(200, msgspec.json.encode({"success": True, "received": received, "complete": complete}))


def _full(message: str, wait: float) -> Refused:
    return Refused(429, "quota", message, min(LONGEST_WAIT, int(wait) + 1))
