"""Signatures as minisign makes them. docs/updates.md says what is signed, and with which key."""

from __future__ import annotations

import base64
import hashlib
from typing import NamedTuple

from collector.admin import AdminError

UNTRUSTED, TRUSTED = "untrusted comment: ", "trusted comment: "
LINES = 4
LONGEST_SIGNATURE = 4096
KEY_BYTES, SIGNATURE_BYTES, ED25519_BYTES = 42, 74, 64


class PublicKey(NamedTuple):
    """A public key of the vendor, and the text that it was read from."""

    id: bytes
    ed25519: bytes
    text: str

    @property
    def name(self) -> str:
        return key_name(self.id)


class _Signature(NamedTuple):
    """The parts of a signature file."""

    algorithm: bytes
    key_id: bytes
    signed: bytes
    comment: bytes
    of_both: bytes


def parse_key(text: str) -> PublicKey:
    """The key in the second line of minisign.pub. AdminError if it is none."""
    try:
        data = _decode(text, KEY_BYTES)
    except ValueError:
        data = b""
    if data[:2] != b"Ed":
        raise AdminError(f"{text!r} is not a public key of minisign; use the second line of minisign.pub")
    return PublicKey(data[2:10], data[10:], text)


def key_name(key_id: bytes) -> str:
    """A key's id as minisign prints it."""
    return f"{int.from_bytes(key_id, 'little'):X}"


def signer_of(signature: str) -> bytes:
    """The id of the key that a signature file names. AdminError if it is not one of minisign."""
    return _parse(signature).key_id


def verify(data: bytes, signature: str, keys: list[PublicKey]) -> None:
    """AdminError if none of these keys signed the data."""
    parts = _parse(signature)
    key = next((key for key in keys if key.id == parts.key_id), None)
    if key is None:
        raise AdminError(
            f"the feed is signed by the key {key_name(parts.key_id)}, which was not given for this source;"
            " to give it: rollcall-collector releases trust KEY --source S"
        )
    content = hashlib.blake2b(data).digest() if parts.algorithm == b"ED" else data
    _check(key, parts.signed, content, "the signature does not match the feed")
    _check(key, parts.of_both, parts.signed + parts.comment, "the trusted comment is not what was signed")


def _parse(text: str) -> _Signature:
    lines = text.removesuffix("\n").split("\n")
    shaped = len(lines) == LINES and lines[0].startswith(UNTRUSTED) and lines[2].startswith(TRUSTED)
    try:
        data = _decode(lines[1], SIGNATURE_BYTES) if shaped else b""
        of_both = _decode(lines[3], ED25519_BYTES) if shaped else b""
    except ValueError:
        data = of_both = b""
    if data[:2] not in (b"Ed", b"ED"):
        raise AdminError("the signature is not one of minisign")
    return _Signature(data[:2], data[2:10], data[10:], lines[2][len(TRUSTED) :].encode(), of_both)


def _decode(text: str, length: int) -> bytes:
    """Exactly so many bytes from Base64 that is written in the one right way; ValueError otherwise."""
    data = base64.b64decode(text.encode("ascii"), validate=True)
    if len(data) != length or base64.b64encode(data).decode() != text:
        raise ValueError(text)
    return data


def _check(key: PublicKey, signature: bytes, data: bytes, otherwise: str) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key.ed25519).verify(signature, data)
    except (InvalidSignature, ValueError):
        raise AdminError(otherwise) from None
