"""From the bytes of a request to events, whatever a client or an attacker sends.

Pure: no clock, no network, no store. The result is events, and rejects for those that can never be taken.
`Refused` is raised where the request as a whole cannot be read.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import msgspec

from collector.base.events import BEAT, CATALOGUE, Event, counted_text, fact_of, mapping
from collector.base.http import Refused, too_large
from collector.base.ids import key_of, new_id
from collector.base.times import corrected, read_time, write_time
from collector.ingest.addresses import drop_addresses, may_have_address
from collector.ingest.envelope import MAX_BATCH, read_batch, read_items, read_keyed
from collector.ingest.jsontext import MAX_DEPTH, TOO_DEEP, read_json, too_deep

# As Segment documents them. An event's bytes are those that the client sent.
MAX_EVENT = 32 * 1024
MAX_REQUEST = 500 * 1024
# Bytes of the fields that the events of a batch share.
MAX_SHARED = 32 * 1024
MAX_MESSAGE_ID = 100
# A line of an export names its source in this field. No stored event has it.
SOURCE_FIELD = "rollcallSource"
# Events of a batch that are searched for the key: the first ones may be bad.
KEY_SEARCHED = 10

TYPES = frozenset({"track", "identify", "page", "screen", "group", "alias"})

# Limit for all events of a batch, with times and shared fields added. Those that are too deep count too: they
# are as much work.
MAX_KEPT = 4 * MAX_REQUEST

# A gzip stream begins so. What follows one and begins so is its next member.
GZIP, MAX_MEMBERS = b"\x1f\x8b", 100

_WRONG_TYPE = "the `type` of an event must be one of " + ", ".join(sorted(TYPES))


@dataclass(frozen=True, slots=True)
class Reject:
    """An event that can never be taken: its place in the batch, the answer, and the library that sent it."""

    index: int
    status: int
    code: str
    message: str
    library: str
    size: int = 0  # bytes that it would be kept in, if it was made whole before that was known


_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def unzip_body(data: bytes) -> bytes:
    """The content of a gzip stream, of all its members. Refused if it is larger than the limit."""
    content = b""
    for _ in range(MAX_MEMBERS):
        stream = zlib.decompressobj(wbits=31)
        try:
            content += stream.decompress(data, MAX_REQUEST + 1 - len(content))
        except zlib.error:
            raise Refused(400, "bad_gzip", "the body is not valid gzip") from None
        if len(content) > MAX_REQUEST:
            raise too_large(MAX_REQUEST)
        if not stream.eof:
            raise Refused(400, "bad_gzip", "the gzip data is incomplete")
        data = stream.unused_data
        if not data.startswith(GZIP):
            return content
    raise Refused(400, "bad_gzip", f"the gzip data has more than {MAX_MEMBERS} members")


def key_in(body: bytes) -> str:
    """The write key in a body, for clients that send it there; empty if there is none."""
    root = read_keyed(body)
    if key := _key(read_json(_decode, root.write_key)):
        return key
    for item in read_items(root.batch)[:KEY_SEARCHED]:
        with contextlib.suppress(Refused):
            if key := _key(parse_object(item).get("writeKey")):
                return key
    return ""


def events_in(
    body: bytes, kind: str, source: int, received: int, *, key: int | None = None
) -> Iterator[Event | Reject]:
    """The events of a request to `/v1/KIND` and its rejects, each decoded when it is asked for."""
    if kind != "batch":
        yield _event_or_reject(body.strip(), kind, 0, source, received, key)
        return
    root = read_batch(body)
    if root.batch is None:
        raise Refused(400, "no_batch", "`batch` must be a list of events")
    if len(root.batch) > MAX_BATCH:
        raise Refused(413, "too_many", f"a batch may have at most {MAX_BATCH} events")
    if len(root.context) + len(root.integrations) > MAX_SHARED:
        raise Refused(413, "too_large", f"what a batch shares may have at most {MAX_SHARED} bytes")
    named = {
        "context": read_json(_decode, root.context),
        "integrations": read_json(_decode, root.integrations),
    }
    shared = {name: value for name, value in named.items() if isinstance(value, dict)}
    sent, kept = read_json(_decode, root.sent_at), 0
    for index, item in enumerate(root.batch):
        event = _event_or_reject(item, "", index, source, received, key, sent, shared)
        if isinstance(event, Reject) and event.code == TOO_DEEP:
            event = replace(event, size=len(item) + len(root.context) + len(root.integrations))
        kept += len(event.body) if isinstance(event, Event) else event.size
        if kept > MAX_KEPT:
            raise Refused(
                413, "too_large", f"the events of a batch may have at most {MAX_KEPT} bytes in total"
            )
        yield event


def parse_object(text: bytes | msgspec.Raw) -> dict[str, Any]:
    """The JSON object in a text."""
    root = read_json(_decode, text)
    if not isinstance(root, dict):
        raise Refused(400, "bad_json", "an event must be a JSON object")
    return root


def read_event(
    event: dict[str, Any],
    kind: str,
    source: int,
    received: int,
    sent: object = None,
    shared: dict[str, Any] | None = None,
    *,
    key: int | None = None,
    settled: bool = False,
) -> Event:
    """One event as it is stored: what the client sent, with times set, without key and address.

    A settled event got its times from a collector before: its `timestamp` is right.
    """
    event.pop("writeKey", None)
    event.pop(SOURCE_FIELD, None)
    event["type"] = kind = kind or _type(event)
    if shared:
        for name, values in shared.items():
            event[name] = {**values, **mapping(event.get(name))}
    context = mapping(event.get("context"))
    message_id = event["messageId"] = _message_id(event.get("messageId"), received)
    time = _settled(event, received) if settled else _stamp(event, received, sent)
    name, who = _name(event, kind), _who(event)
    run = mapping(context.get("installation")).get("id")
    known = kind == "track" and who is not None and name in CATALOGUE
    return Event(
        source=source,
        id=key_of(message_id),
        received=received,
        time=time,
        type=kind,
        name=name,
        who=who,
        run=key_of(run) if isinstance(run, str) and run else None,
        body=_text(event, context),
        key=key,
        fact=fact_of(name, context, mapping(event.get("properties"))) if known else None,
    )


def _event_or_reject(
    text: bytes | msgspec.Raw,
    kind: str,
    index: int,
    source: int,
    received: int,
    key: int | None,
    sent: object = None,
    shared: dict[str, Any] | None = None,
) -> Event | Reject:
    event: dict[str, Any] = {}
    try:
        event = _sent_event(text)
        _check_ids(event)
        return read_event(event, kind, source, received, sent, shared, key=key)
    except Refused as refused:
        return Reject(index, refused.status, refused.code, refused.message, _library(event, shared))


def _sent_event(text: bytes | msgspec.Raw) -> dict[str, Any]:
    if len(text) > MAX_EVENT:
        raise Refused(413, "event_too_large", f"an event may have at most {MAX_EVENT} bytes")
    return parse_object(text)


def _check_ids(event: dict[str, Any]) -> None:
    """Segment's rule and Segment's word for it: an event belongs to somebody."""
    if not (_is_id(event.get("anonymousId")) or _is_id(event.get("userId"))):
        raise Refused(400, "no_user_anon_id", "an event needs a `userId` or an `anonymousId`")


def _library(event: dict[str, Any], shared: dict[str, Any] | None) -> str:
    """The name of the library that sent an event; empty if it does not say."""
    for fields in (event, shared or {}):
        name = mapping(mapping(fields.get("context")).get("library")).get("name")
        if isinstance(name, str):
            return name
    return ""


def _key(value: object) -> str:
    return value if isinstance(value, str) else ""


def _is_id(value: object) -> bool:
    """Text or a number, as Segment takes them."""
    if isinstance(value, str):
        return value != ""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _type(event: dict[str, Any]) -> str:
    kind = event.get("type")
    if kind is None and isinstance(event.get("event"), str):
        return "track"
    if isinstance(kind, str) and kind.lower() in TYPES:
        return kind.lower()
    raise Refused(400, "bad_type", _WRONG_TYPE)


def _message_id(value: object, received: int) -> str:
    if value is None or value == "":
        return new_id(received)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > MAX_MESSAGE_ID:
        raise Refused(
            400, "bad_message_id", f"a `messageId` must be text of at most {MAX_MESSAGE_ID} characters"
        )
    return value


def _stamp(event: dict[str, Any], received: int, sent: object) -> int:
    """Set the four times of a Segment event; returns when it happened by our clock."""
    original = event.get("originalTimestamp") or event.get("timestamp")
    sent = event.get("sentAt") or sent
    time = corrected(received, read_time(sent), read_time(original))
    event["receivedAt"] = write_time(received)
    event["timestamp"] = write_time(time)
    if original is not None:
        event["originalTimestamp"] = original
    if sent is not None:
        event["sentAt"] = sent
    return time


def _settled(event: dict[str, Any], received: int) -> int:
    return corrected(received, None, read_time(event.get("timestamp")))


def _name(event: dict[str, Any], kind: str) -> str:
    if kind != "track":
        name = counted_text(event.get("name")) if kind in ("page", "screen") else ""
        return "" if name in (None, BEAT) else name  # what bears the heartbeats' name is found by its time
    name = counted_text(event.get("event"))
    if name is None:
        raise Refused(400, "no_event", "a track event needs a name in `event`")
    return name


def _who(event: dict[str, Any]) -> bytes | None:
    who = event.get("anonymousId")
    if isinstance(who, int) and not isinstance(who, bool):
        who = str(who)
    return key_of(who) if isinstance(who, str) and who else None


def _text(event: dict[str, Any], context: Mapping[str, Any]) -> str:
    try:
        text = _encode(event).decode()
        if may_have_address(text, context):
            drop_addresses(event)
            text = _encode(event).decode()
    except (ValueError, RecursionError):
        raise Refused(400, "bad_json", "an event cannot be stored as JSON") from None
    if text.count("{") + text.count("[") > MAX_DEPTH and _deep(event):
        raise too_deep()
    return text


def _deep(value: object) -> bool:
    """Whether it has too many levels; checked level by level, so that no depth exhausts the stack."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner = [v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)]
        level = list(chain.from_iterable(inner))
    return any(isinstance(value, dict | list) for value in level)
