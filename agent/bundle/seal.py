"""Seal a bundle as JWE (RFC 7516) for the vendor's support key, by jwcrypto of the `sealed` extra."""

from __future__ import annotations

import json

ALGORITHM, ENCRYPTION = "ECDH-ES+A256KW", "A256GCM"


class SealError(Exception):
    """Nothing can be sealed here; the text says what is missing."""


class Seal:
    """A public key, and what it takes to use it."""

    def __init__(self, public_key: str) -> None:
        try:
            from jwcrypto import jwe, jwk
        except ImportError:
            raise SealError(
                "the library jwcrypto is missing; install python3-jwcrypto, or rollcall-telemetry[sealed]"
            ) from None
        self._jwe = jwe.JWE
        self._key = jwk.JWK.from_json(public_key)
        self.thumbprint: str = self._key.thumbprint()
        """RFC 7638, SHA-256: how people compare keys."""

    def seal(self, data: bytes) -> bytes:
        """The sealed bytes. Besides them, only the key's thumbprint and the algorithms can be read."""
        header = json.dumps({"alg": ALGORITHM, "enc": ENCRYPTION, "kid": self.thumbprint})
        sealed = self._jwe(data, protected=header)
        sealed.add_recipient(self._key)
        text: str = sealed.serialize(compact=True)
        return text.encode("ascii")
