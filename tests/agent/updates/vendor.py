"""A vendor who signs feeds, with keys made here; Debian's minisign is asked in test_minisign.py."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RELEASES = [
    {"version": "1.1", "date": "2026-06-01", "notes": "Faster.", "url": "https://v.example/1.1"},
    {"version": "2.0", "date": "2026-11-01", "notes": "New.\nAll.", "minimumFrom": "1.1"},
]
ADVISORY = {
    "id": "ACME-1",
    "severity": "critical",
    "affected": ["<1.0.5"],
    "fixedIn": ["1.0.5"],
    "summary": "A hole.",
    "url": "https://v.example/a1",
    "date": "2026-10-01",
}


class Vendor:
    """Owns a key pair."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.number = raw[:8]
        self.public = base64.b64encode(b"Ed" + self.number + raw).decode()

    def sign(self, data: bytes, *, hashed: bool = True) -> bytes:
        own = self._key.sign(hashlib.blake2b(data).digest() if hashed else data)
        comment = "timestamp:1	file:feed.json"
        kind = b"ED" if hashed else b"Ed"
        lines = [
            "untrusted comment: signature",
            base64.b64encode(kind + self.number + own).decode(),
            f"trusted comment: {comment}",
            base64.b64encode(self._key.sign(own + comment.encode())).decode(),
        ]
        return ("\n".join(lines) + "\n").encode()

    def publish(self, folder: Path, **fields: object) -> Path:
        """A signed feed in a folder."""
        path = folder / "feed.json"
        path.write_bytes(feed_bytes(**fields))
        Path(f"{path}.minisig").write_bytes(self.sign(path.read_bytes()))
        return path


def feed_bytes(**fields: object) -> bytes:
    feed: dict[str, object] = {
        "format": 1,
        "product": "Acme",
        "sequence": 1,
        "expires": "2030-01-01T00:00:00Z",
        "releases": RELEASES,
        "advisories": [ADVISORY],
    }
    return json.dumps({**feed, **fields}).encode()
