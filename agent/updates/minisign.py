"""Signatures as minisign makes them, checked here; nothing in Rollcall can sign.

A signature file has four lines: an untrusted comment, the signature, a trusted comment, and a signature of
both. Both forms are known: `ED` signs the BLAKE2b of the file (minisign's default), `Ed` the file itself.
The untrusted comment is signed by nobody, so nothing is done with it.
"""

from __future__ import annotations

import base64
import hashlib
import sys
from typing import NamedTuple

UNTRUSTED, TRUSTED = "untrusted comment: ", "trusted comment: "
LINES = 4
LONGEST_SIGNATURE = 4096
KEY_BYTES, SIGNATURE_BYTES, ED25519_BYTES = 42, 74, 64
MOST_KEYS = 2


class SignatureError(Exception):
    """The file is not what the vendor signed; the text says in what way."""


class CannotVerify(Exception):  # noqa: N818 - reads as what it says
    """What checks signatures is not installed, or `lacking` in this system; the text says what it is."""

    def __init__(self, lacking: str = "") -> None:
        how = f"python3 -m pip --python {sys.executable} install cryptography"
        super().__init__(
            f"signatures cannot be checked: this system, perhaps in FIPS mode, has no {lacking}"
            if lacking
            else f"signatures cannot be checked without the Python package cryptography; to get it: {how}"
        )


class PublicKey(NamedTuple):
    """One of the vendor's public keys."""

    id: bytes
    ed25519: bytes

    @property
    def name(self) -> str:
        """The key id as minisign prints it."""
        return f"{int.from_bytes(self.id, 'little'):X}"


def can_verify() -> bool:
    """Whether the package that checks signatures is there."""
    try:
        import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401
    except ImportError:
        return False
    return True


def parse_keys(text: str) -> list[PublicKey]:
    """One or two public keys, with a comma or a space between; ValueError otherwise."""
    keys = [_parse_key(word) for word in text.replace(",", " ").split()]
    if len(keys) > MOST_KEYS:
        raise ValueError(text)
    return keys


def _parse_key(text: str) -> PublicKey:
    data = _decode(text, KEY_BYTES)
    if data[:2] != b"Ed":
        raise ValueError(text)
    return PublicKey(data[2:10], data[10:])


def _decode(text: str, length: int) -> bytes:
    """Exactly so many bytes from Base64 that is written in the one right way; ValueError otherwise."""
    data = base64.b64decode(text.encode("ascii"), validate=True)
    if len(data) != length or base64.b64encode(data).decode() != text:
        raise ValueError(text)
    return data


def verify(data: bytes, signature: str, keys: list[PublicKey]) -> PublicKey:
    """The key that signed the data; SignatureError if none of these did, CannotVerify if nobody can tell."""
    algorithm, key_id, signed, comment, of_both = _parse_signature(signature)
    key = next((key for key in keys if key.id == key_id), None)
    if key is None:
        named = PublicKey(key_id, b"").name
        known = " or ".join(key.name for key in keys)
        raise SignatureError(f"it is signed by key {named}, and ROLLCALL_UPDATES_KEY has {known}")
    content = _blake2b(data) if algorithm == b"ED" else data
    _check(key, signed, content, "the signature does not match the feed")
    _check(key, of_both, signed + comment, "the trusted comment is not what was signed")
    return key


def _parse_signature(text: str) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """Algorithm, key id, signature, trusted comment, and the signature of both."""
    lines = text.removesuffix("\n").split("\n")
    shaped = len(lines) == LINES and lines[0].startswith(UNTRUSTED) and lines[2].startswith(TRUSTED)
    try:
        data = _decode(lines[1], SIGNATURE_BYTES) if shaped else b""
        of_both = _decode(lines[3], ED25519_BYTES) if shaped else b""
    except ValueError:
        data = of_both = b""
    if data[:2] not in (b"Ed", b"ED"):
        raise SignatureError("the signature is not one of minisign")
    return data[:2], data[2:10], data[10:], lines[2][len(TRUSTED) :].encode(), of_both


def _blake2b(data: bytes) -> bytes:
    try:
        return hashlib.blake2b(data).digest()
    except (ValueError, TypeError, AttributeError):
        raise CannotVerify("BLAKE2b") from None


def _check(key: PublicKey, signature: bytes, data: bytes, otherwise: str) -> None:
    try:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise CannotVerify from None
    try:
        Ed25519PublicKey.from_public_bytes(key.ed25519).verify(signature, data)
    except UnsupportedAlgorithm:
        raise CannotVerify("Ed25519") from None
    except (InvalidSignature, ValueError):
        raise SignatureError(otherwise) from None
