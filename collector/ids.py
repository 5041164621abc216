"""Ids as 16 bytes: short keys, and neighbours in time side by side in the index."""

from __future__ import annotations

import os
import re
from hashlib import blake2b

_HEX = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
# `node-next-1763632800000-…` and `ajs-next-1763632800000-…`: what Segment's JavaScript libraries write.
_DATED = re.compile(r"-(1[0-9]{12})-")


def key_of(text: str) -> bytes:
    """16 bytes for an id: the UUID itself, or a digest of any other text.

    An index takes keys that grow much faster than keys at random, so a digest starts with the time
    where the text tells one. The same text always gives the same key; nothing else matters to
    deduplication.
    """
    if _HEX.match(text):
        return bytes.fromhex(text.replace("-", ""))
    raw = text.encode("utf-8", "surrogatepass")
    dated = _DATED.search(text)
    if dated is None:
        return blake2b(raw, digest_size=16).digest()
    return int(dated.group(1)).to_bytes(6, "big") + blake2b(raw, digest_size=10).digest()


def new_id(now: int) -> str:
    """A UUIDv7 for an event whose client gave it no id."""
    raw = bytearray(now.to_bytes(6, "big") + os.urandom(10))
    raw[6] = raw[6] & 0x0F | 0x70
    raw[8] = raw[8] & 0x3F | 0x80
    return as_uuid(bytes(raw))


def as_uuid(key: bytes) -> str:
    """How a key is shown: `0193…-…`."""
    text = key.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
