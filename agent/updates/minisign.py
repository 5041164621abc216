"""Verifies signatures of minisign: Ed25519 over a file, or over its BLAKE2b digest."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import NamedTuple

SUFFIX = ".minisig"
"""A signature is beside its file, under the file's name and this."""
PLAIN, HASHED = b"Ed", b"ED"
_ID, _KEY, _SIGNATURE = 8, 32, 64
_LINES = 4
_UNTRUSTED, _TRUSTED = "untrusted comment: ", "trusted comment: "


class NotSigned(Exception):  # noqa: N818 - reads as what it says
    """The signature does not hold, or no signature can be verified here; the text says which."""


class PublicKey(NamedTuple):
    """A vendor's key, and the number that minisign gave it."""

    number: bytes
    key: bytes

    @property
    def name(self) -> str:
        """The number as minisign prints it."""
        return self.number[::-1].hex().upper()


def parse_public_key(text: str) -> PublicKey:
    """The key in the second line of a `.pub` file; ValueError for anything else."""
    data = _decoded(text, 2 + _ID + _KEY)
    if data[:2] != PLAIN:
        raise ValueError(text)
    return PublicKey(data[2 : 2 + _ID], data[2 + _ID :])


def verify(data: bytes, signature: bytes, keys: list[PublicKey]) -> PublicKey:
    """The key that signed the data. NotSigned if it is none of these, or anything was changed."""
    try:
        comment, line, trusted, last = signature.decode("utf-8").splitlines()[:_LINES]
        signed, whole = _decoded(line, 2 + _ID + _SIGNATURE), _decoded(last, _SIGNATURE)
    except ValueError:
        raise NotSigned("the signature is not one of minisign's") from None
    if not (comment.startswith(_UNTRUSTED) and trusted.startswith(_TRUSTED)):
        raise NotSigned("the signature is not one of minisign's")
    kind, number, own = signed[:2], signed[2 : 2 + _ID], signed[2 + _ID :]
    key = next((key for key in keys if key.number == number), None)
    if key is None:
        raise NotSigned(f"it is signed with another key, {PublicKey(number, b'').name}")
    if kind not in (PLAIN, HASHED):
        raise NotSigned("the signature is of an unknown kind")
    _check(key, own, data if kind == PLAIN else hashlib.blake2b(data).digest())
    _check(key, whole, own + trusted[len(_TRUSTED) :].encode())
    return key


def _check(key: PublicKey, signature: bytes, data: bytes) -> None:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise NotSigned(
            "signatures cannot be verified without the Python library `cryptography`;"
            " it comes with the extra `sealed` of rollcall-telemetry"
        ) from None
    try:
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature, data)
    except (InvalidSignature, ValueError):
        raise NotSigned("the signature is not of these bytes") from None


def _decoded(text: str, length: int) -> bytes:
    try:
        data = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        raise ValueError(text) from None
    if len(data) != length:
        raise ValueError(text)
    return data
