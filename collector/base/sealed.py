"""What a sealed support bundle is: a compact JWE of one kind, for a key that its header names."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode

ALGORITHM, ENCRYPTION = "ECDH-ES+A256KW", "A256GCM"
MAX_SEALED = 16 * 2**20  # 10 MiB, packed and sealed, and written as text
_HEADER = re.compile(rb"[A-Za-z0-9_-]{20,1000}\.")
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


def thumbprint_in(sealed: bytes) -> str | None:
    """The thumbprint of the key that opens it. None if this is no sealed bundle."""
    found = _HEADER.match(sealed)
    try:
        header = json.loads(urlsafe_b64decode(found[0][:-1] + b"==")) if found else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(header, dict) or (header.get("alg"), header.get("enc")) != (ALGORITHM, ENCRYPTION):
        return None
    thumbprint = header.get("kid")
    return thumbprint if isinstance(thumbprint, str) and _THUMBPRINT.fullmatch(thumbprint) else None
