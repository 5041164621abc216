"""Ids as 16 bytes: short keys, and neighbours in time side by side in the index."""

from __future__ import annotations

import os
import re
from hashlib import blake2b

KEY_LENGTH = 16
UUID_LENGTH = 36
# `node-next-1763632800000-…` and `ajs-next-1763632800000-…`: what Segment's JavaScript libraries write.
_DATED = re.compile(r"-(1[0-9]{12})-")

_BEGINNING = re.compile(r"[0-9a-f]{8,32}")


def key_of(text: str) -> bytes:
    """16 bytes for an id: the UUID itself, or a digest of any other text.

    An index takes keys that grow much faster than keys at random, so a digest starts with the time
    where the text tells one. The same text always gives the same key; nothing else matters to
    deduplication.
    """
    uuid = _bytes_of(text)
    if uuid is not None:
        return uuid
    raw = text.encode("utf-8", "surrogatepass")
    dated = _DATED.search(text)
    if dated is None:
        return blake2b(raw, digest_size=16).digest()
    return int(dated.group(1)).to_bytes(6, "big") + blake2b(raw, digest_size=10).digest()


def keys_beginning(text: str) -> tuple[bytes, bytes] | None:
    """The first and last key whose shown text begins so; None if that is not eight digits or more."""
    digits = text.strip().lower().replace("-", "")
    if not _BEGINNING.fullmatch(digits):
        return None
    length = 2 * KEY_LENGTH
    return bytes.fromhex(digits.ljust(length, "0")), bytes.fromhex(digits.ljust(length, "f"))


def _bytes_of(text: str) -> bytes | None:
    """The bytes of a UUID in its usual form; a regular expression takes three times as long."""
    if len(text) != UUID_LENGTH or not text[8] == text[13] == text[18] == text[23] == "-":
        return None
    try:
        raw = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return None
    return raw if len(raw) == KEY_LENGTH else None


def new_id(now: int) -> str:
    """A UUIDv7 for an event whose client gave it no id."""
    return uuid_of(now.to_bytes(6, "big") + os.urandom(10), 7)


def uuid_of(raw: bytes, version: int) -> str:
    """16 bytes as a UUID of a version, which overwrites six of their bits."""
    marked = bytearray(raw)
    marked[6] = marked[6] & 0x0F | version << 4
    marked[8] = marked[8] & 0x3F | 0x80
    return as_uuid(bytes(marked))


def as_uuid(key: bytes) -> str:
    """How a key is shown: `0193…-…`."""
    text = key.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
