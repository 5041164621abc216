"""What stands around the events of a request: the key, and the fields that a batch shares.

Events stay text here. Decoded, 500 KiB may take 15 MiB of memory.
"""

from __future__ import annotations

import contextlib

import msgspec

from collector.base.http import Refused
from collector.ingest.jsontext import split_array, split_object

MAX_BATCH = 2500
_NULL = msgspec.Raw(b"null")


class Keyed(msgspec.Struct, rename="camel"):
    """The places where a write key may be; the rest is skipped."""

    write_key: msgspec.Raw = _NULL
    batch: msgspec.Raw = _NULL


class Batch(msgspec.Struct, rename="camel"):
    """A batch; `batch` is None if there is no list of events."""

    batch: list[msgspec.Raw] | None = None
    context: msgspec.Raw = _NULL
    integrations: msgspec.Raw = _NULL
    sent_at: msgspec.Raw = _NULL


_decode_keyed = msgspec.json.Decoder(Keyed).decode
_decode_batch = msgspec.json.Decoder(Batch).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def read_keyed(text: bytes) -> Keyed:
    """The places of an object where a key may be. Refused if the text is no object."""
    with contextlib.suppress(ValueError, RecursionError):
        return _decode_keyed(text)
    found = split_object(text)
    return Keyed(found.get("writeKey", _NULL), found.get("batch", _NULL))


def read_batch(text: bytes) -> Batch:
    """A batch, with its events unread. Refused if the text is no object.

    Of more than MAX_BATCH events there may be only one more.
    """
    with contextlib.suppress(ValueError, RecursionError):
        return _decode_batch(text)
    found = split_object(text)
    batch = bytes(found.get("batch", _NULL))
    items = split_array(batch, MAX_BATCH) if batch.startswith(b"[") else None
    return Batch(items, *(found.get(name, _NULL) for name in ("context", "integrations", "sentAt")))


def read_items(text: msgspec.Raw) -> list[msgspec.Raw]:
    """The items of a list; none if it is no list."""
    with contextlib.suppress(ValueError, RecursionError):
        return _decode_list(text)
    with contextlib.suppress(Refused):
        return split_array(bytes(text), MAX_BATCH)
    return []
