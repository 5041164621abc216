"""A vendor who signs feeds: by Debian's minisign, or in this process in the same form."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FEED: dict[str, object] = {
    "format": 1,
    "product": "Shop",
    "sequence": 7,
    "expires": "2030-01-01T00:00:00Z",
    "publicPage": "https://example.com/public/shop",
    "releases": [
        {
            "version": "2.4.1",
            "date": "2026-10-01",
            "notes": "Faster.\nSafer.",
            "url": "https://example.com/2.4.1",
            "minimumFrom": "2.0",
            "rollout": 1,
        },
        {"version": "2.0.0", "date": "2026-01-01", "notes": "New.", "url": "https://example.com/2.0.0"},
    ],
    "advisories": [
        {
            "id": "SHOP-2026-1",
            "severity": "critical",
            "affected": [">=1.0, <1.4.2"],
            "fixedIn": "1.4.2",
            "summary": "Anybody can sign in.",
            "url": "https://example.com/1",
            "date": "2026-05-01",
        }
    ],
}


def feed(**changes: object) -> bytes:
    """The feed above, with these changes."""
    return (json.dumps({**FEED, **changes}, indent=1) + "\n").encode()


@dataclass
class Vendor:
    """Owns a key of minisign's kind, without minisign."""

    id: bytes = b"rollcall"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def public(self) -> str:
        raw = self.key.public_key().public_bytes_raw()
        return base64.b64encode(b"Ed" + self.id + raw).decode()

    def sign(self, data: bytes, *, legacy: bool = False) -> str:
        signed = self.key.sign(data if legacy else hashlib.blake2b(data).digest())
        comment = "timestamp:1790000000\tfile:feed.json\thashed"
        line = base64.b64encode((b"Ed" if legacy else b"ED") + self.id + signed).decode()
        of_both = base64.b64encode(self.key.sign(signed + comment.encode())).decode()
        return f"untrusted comment: signature\n{line}\ntrusted comment: {comment}\n{of_both}\n"

    def publish(self, folder: Path, data: bytes) -> Path:
        """Write the feed and its signature; returns the feed's path."""
        path = folder / "feed.json"
        path.write_bytes(data)
        Path(f"{path}.minisig").write_text(self.sign(data))
        return path


@dataclass
class Minisign:
    """Debian's own program, with a key pair in a folder."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.run("-G", "-W", "-p", "key.pub", "-s", "key.sec")
        self.public = (self.folder / "key.pub").read_text().splitlines()[1]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = ["minisign", *arguments]
        return subprocess.run(argv, cwd=self.folder, capture_output=True, text=True, check=True)

    def sign(self, data: bytes, *, legacy: bool = False) -> str:
        (self.folder / "feed.json").write_bytes(data)
        self.run("-S", *(["-l"] if legacy else []), "-s", "key.sec", "-m", "feed.json")
        return (self.folder / "feed.json.minisig").read_text()
