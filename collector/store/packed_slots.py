"""The slots of an instance as bytes: bit 0 is the first one. Most of a year are alike, so they are deflated.

Rows of older versions have the bits alone. Their last byte is never 0, so a 0 behind tells what is deflated.
"""

from __future__ import annotations

import zlib

DEFLATED = b"\0"
# Fewer bytes are hardly ever shorter afterwards.
LEAST = 8
# The smallest window and state: an object is made for each instance, and has a year of 182 bytes to read.
_WINDOW, _STATE = -9, 1


def pack_slots(slots: int) -> bytes:
    """The bytes of a set of slots."""
    bits = slots.to_bytes((slots.bit_length() + 7) // 8, "little")
    if len(bits) < LEAST:
        return bits
    deflate = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, _WINDOW, _STATE)
    deflated = deflate.compress(bits) + deflate.flush() + DEFLATED
    return min(bits, deflated, key=len)


def unpack_slots(packed: bytes) -> int:
    """The set of slots in these bytes."""
    if packed[-1:] == DEFLATED:
        packed = zlib.decompress(packed[:-1], _WINDOW)
    return int.from_bytes(packed, "little")
