"""The tracking API over ASGI: who may send, how much, and what the answer is.

Checks run in the order of their cost: the peer's rate, the declared length, the key in the header, the
body within its limits of size, time and memory, then the events. The answer is 200 only when every
event of the request is on disk, except for those of a batch that can never be taken: it lists them.

A refusal does not close the connection: a client that is still sending would see a reset instead of
the answer. The rest of its body is dropped until `serve/protocol.py` cuts it off.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import msgspec

from collector.base import http
from collector.base.events import Event
from collector.base.http import Answer, Receive, Refused, Scope, Send
from collector.base.limits import RETRY_SECONDS
from collector.base.peers import peer_in
from collector.base.room import Holding, NoRoom
from collector.ingest import decode
from collector.ingest.allowance import Allowance
from collector.ingest.decode import MAX_EVENT, MAX_REQUEST, Reject
from collector.ingest.disk import DiskGuard
from collector.ingest.forget import Forgetting
from collector.ingest.keyring import KeyRing, WriteKey
from collector.ingest.memory import Memory, receive_body
from collector.ingest.metrics import Metrics
from collector.ingest.rejects import RejectCounter
from collector.ingest.writer import Writer
from collector.settings import Settings
from collector.store import StoreError

logger = logging.getLogger("rollcall.collector")

KINDS = ("track", "identify", "page", "screen", "group", "alias", "batch", "import")
# The short names that Segment's browser and mobile libraries use.
SHORT = {"t": "track", "i": "identify", "p": "page", "s": "screen", "g": "group", "a": "alias", "b": "batch"}
# RudderStack's library sends here by sendBeacon, which can set no header: the key is in the address.
BEACON = "/beacon/v1/batch"
ROUTES = {f"/v1/{name}": SHORT.get(name, name) for name in (*KINDS, *SHORT)}
FORGET = "/v1/forget"
ROUTES |= {"/v1/import": "batch", BEACON: "batch", FORGET: "forget"}
# The browser library's reports about itself: accepted, but not stored.
IGNORED = frozenset({"/v1/m"})

# After this many events of a batch, other requests get a turn.
SLICE = 200
# Memory that an event needs in addition to its text.
EVENT_BYTES = 500
# Answers to a request that would be refused again.
NEVER = frozenset({400, 413})
# An answer lists so many rejects, so that a small request cannot ask for a large answer.
MOST_LISTED = 100

GZIP = b"\x1f\x8b"
OK = Answer(200, b'{"success":true}')
OPEN = ((b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", b"retry-after"))
_HEADER_NAMES = re.compile(r"[A-Za-z0-9_\-, ]{0,400}\Z")


@dataclass
class Taken:
    """What was read of a request so far; `key` is None until it is known."""

    peer: str
    key: WriteKey | None = None
    size: int = 0  # bytes of the body, decompressed
    made: int = 0  # bytes that its events have become, with what they share
    events: list[Event] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.events) + len(self.rejects)

    @property
    def weight(self) -> int:
        """The bytes that count: what a batch shares is written once, and is work for each of its events."""
        return max(self.size, self.made)

    def add(self, item: Event | Reject) -> int:
        """Add an event or a reject; the memory that it needs."""
        if isinstance(item, Reject):
            self.rejects.append(item)
            self.made += item.size
            return EVENT_BYTES
        self.events.append(item)
        self.made += len(item.body)
        return EVENT_BYTES + len(item.body)


class Tracking:
    """The tracking API of one server."""

    def __init__(
        self,
        settings: Settings,
        ring: KeyRing,
        writer: Writer,
        rejects: RejectCounter,
        metrics: Metrics,
        allowance: Allowance,
        disk: DiskGuard,
        forgetting: Forgetting,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._ring, self._writer, self._metrics = settings, ring, writer, metrics
        self._rejects, self._allowance, self._disk = rejects, allowance, disk
        self._forgetting = forgetting
        self._now = now
        self.memory = Memory(settings.memory, clock)

    def serves(self, path: str) -> bool:
        return path in ROUTES or path in IGNORED

    async def __call__(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        try:
            answer = await self._answer(path, scope, receive)
        except Refused as refused:
            answer = refusal(refused)
        except http.ClientGone:
            return
        self._metrics.request(path, answer.status, time.perf_counter() - began)
        await http.with_headers(answer, OPEN).send(send)

    async def _answer(self, path: str, scope: Scope, receive: Receive) -> Answer:
        if scope["method"] == "OPTIONS":
            return preflight(scope, "POST, OPTIONS")
        if scope["method"] != "POST":
            return http.with_headers(json_error(405, "method", "use POST"), [(b"allow", b"POST, OPTIONS")])
        peer = peer_in(scope, self._settings.trusted_proxies)
        self._allowance.check_peer(peer)
        if path != FORGET:  # which makes room
            self._disk.check()
        held = self.memory.hold(peer)
        taken = Taken(peer)
        try:
            if path not in IGNORED:
                return await self._take(path, scope, receive, held, taken)
            taken.size = len(await receive_body(receive, MAX_REQUEST, held, hurried=True))
        except Refused as refused:
            if refused.status in NEVER:
                taken.rejects.append(Reject(0, refused.status, refused.code, refused.message, ""))
                self._count_rejects(taken)
            raise
        except StoreError:
            message = "the events could not be stored; try again later"
            raise Refused(503, "store_away", message, RETRY_SECONDS) from None
        except NoRoom:
            raise Refused(503, "busy", "the server is busy; try again later", RETRY_SECONDS) from None
        finally:
            held.give_all()
            self._allowance.pay(taken.key, peer, taken.count, taken.weight)
            self._disk.count(taken.weight)
        return OK

    async def _take(self, path: str, scope: Scope, receive: Receive, held: Holding, taken: Taken) -> Answer:
        """Store the events of a request; `taken` has what was read, also if the request is refused."""
        kind = ROUTES[path]
        most = MAX_REQUEST if kind == "batch" else MAX_EVENT * 2
        if http.declared_length(scope) > most:
            raise http.too_large(most)
        key = taken.key = await self._key(key_beside(path, scope))
        if key is not None:
            self._allowance.check_key(key, taken.peer)
            held.move(self.memory.known)
        body = await receive_body(receive, most, held, hurried=key is None)
        taken.size = len(body)
        if body.startswith(decode.GZIP):
            packed, body = len(body), decode.unzip_body(body)
            held.take(len(body))
            held.give(packed)
            taken.size = len(body)
        key = taken.key = key or await self._key(decode.key_in(body))
        if key is None:
            raise Refused(401, "bad_key", "unknown write key")
        self._allowance.check_key(key, taken.peer)
        held.move(self.memory.known)
        if kind == "forget":
            return await self._forgetting.answer(key.source, taken.peer, body)
        for item in decode.events_in(body, kind, key.source, int(self._now() * 1000), key=key.id):
            held.take(taken.add(item))
            if taken.count % SLICE == 0:
                await asyncio.sleep(0)
        held.give(len(body))
        del body
        if taken.events:
            with self._allowance.spend(key, taken.peer, taken.events):
                await self._writer.keep(taken.events, held.hand_over())
        self._metrics.received(key.name, len(taken.events))
        if not taken.rejects:
            return OK
        self._count_rejects(taken)
        return _rejected(kind, taken.rejects)

    def _count_rejects(self, taken: Taken) -> None:
        if taken.key is None:
            return
        self._rejects.count(taken.key.source, taken.rejects)
        for one in taken.rejects:
            self._metrics.rejected(taken.key.name, one.code)

    async def _key(self, text: str) -> WriteKey | None:
        return await self._ring.find(text) if text else None


def key_beside(path: str, scope: Scope) -> str:
    """The write key that comes before the body: in the header, or in a beacon's address; empty if none."""
    key = basic_key(http.header(scope, b"authorization"))
    if not key and path == BEACON:
        query: bytes = scope["query_string"]
        return parse_qs(query.decode("latin-1")).get("writeKey", [""])[0]
    return key


def basic_key(authorization: str) -> str:
    """The write key in an Authorization header: the Basic user or the Bearer token; empty if none."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return text.partition(":")[0]


def refusal(refused: Refused) -> Answer:
    """The answer to a request that is refused."""
    answer = json_error(refused.status, refused.code, refused.message)
    if refused.retry is None:
        return answer
    return http.with_headers(answer, [(b"retry-after", str(refused.retry).encode())])


def json_error(status: int, code: str, message: str) -> Answer:
    """An error as Segment's libraries read it: `code` and `message`."""
    return Answer(status, msgspec.json.encode({"success": False, "code": code, "message": message}))


def _rejected(kind: str, rejects: list[Reject]) -> Answer:
    """The answer that names what was not taken: 200 for a batch, an error for a single event."""
    if kind != "batch":
        return json_error(rejects[0].status, rejects[0].code, rejects[0].message)
    listed = [{"index": one.index, "code": one.code, "message": one.message} for one in rejects[:MOST_LISTED]]
    more = {"omitted": len(rejects) - MOST_LISTED} if len(rejects) > MOST_LISTED else {}
    return Answer(200, msgspec.json.encode({"success": True, "rejected": listed, **more}))


def preflight(scope: Scope, methods: str) -> Answer:
    """The answer to a browser that asks whether a page of another site may send this."""
    wanted = http.header(scope, b"access-control-request-headers")
    allowed = wanted if wanted and _HEADER_NAMES.match(wanted) else "authorization, content-type"
    return Answer(
        204,
        headers=(
            (b"access-control-allow-methods", methods.encode()),
            (b"access-control-allow-headers", allowed.encode()),
            (b"access-control-max-age", b"86400"),
        ),
    )
