"""What a member's own machine does with keys: wrap one under a passphrase, link one, seal a roster.

Every parameter is fixed here. What a collector asks for otherwise is refused.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from collector.admin import AdminError
from collector.base.sealed import ALGORITHM, ENCRYPTION

CURVE = "X25519"
SALT_BYTES, NONCE_BYTES, KEY_BYTES = 16, 12, 32
CHECK_BYTES = 3
SHORTEST_PASSPHRASE = 12


@dataclass(frozen=True)
class Cost:
    """What Argon2id spends on a passphrase: KiB of memory, passes, lanes."""

    memory: int = 65_536
    passes: int = 3
    lanes: int = 4


COST = Cost()


class Key:
    """A pair of keys on X25519, or its public half."""

    def __init__(self, jwk: Mapping[str, Any]) -> None:
        from jwcrypto import jwk as library
        from jwcrypto.common import JWException

        try:
            made = library.JWK(**{name: jwk[name] for name in ("kty", "crv", "x", "d") if name in jwk})
            self.thumbprint: str = made.thumbprint()
            """RFC 7638, SHA-256: how a support key is named."""
        except (JWException, TypeError, ValueError):
            raise AdminError("this is no X25519 key") from None
        if jwk.get("crv") != CURVE:
            raise AdminError("this is no X25519 key")
        self._key = made

    @classmethod
    def new(cls) -> Key:
        from jwcrypto import jwk

        return cls(jwk.JWK.generate(kty="OKP", crv=CURVE).export(as_dict=True))

    @classmethod
    def of_public(cls, text: str) -> Key:
        """The public half, as `public` writes it."""
        return cls({"kty": "OKP", "crv": CURVE, "x": text})

    @classmethod
    def of_private(cls, data: bytes) -> Key:
        """The pair whose private half these 32 bytes are."""
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        public = X25519PrivateKey.from_private_bytes(data).public_key().public_bytes_raw()
        return cls({"kty": "OKP", "crv": CURVE, "x": _encoded(public), "d": _encoded(data)})

    @property
    def public(self) -> str:
        return str(self._key.export_public(as_dict=True)["x"])

    @property
    def public_jwk(self) -> str:
        return str(self._key.export_public())

    @property
    def private(self) -> bytes:
        return _decoded(self._key.export_private(as_dict=True)["d"])

    @property
    def private_jwk(self) -> str:
        return str(self._key.export_private())

    def seal(self, data: bytes) -> str:
        """A JWE for whoever has the private half."""
        from jwcrypto import jwe

        header = {"alg": ALGORITHM, "enc": ENCRYPTION, "kid": self.thumbprint}
        made = jwe.JWE(data, protected=json.dumps(header), recipient=self._key)
        return str(made.serialize(compact=True))

    def open(self, sealed: str) -> bytes:
        """What was sealed for this key. AdminError for anything else, and for weaker algorithms."""
        from jwcrypto import jwe
        from jwcrypto.common import JWException

        found = jwe.JWE(algs=[ALGORITHM, ENCRYPTION])
        try:
            found.deserialize(sealed)
            found.decrypt(self._key)
        except (JWException, ValueError, TypeError):
            raise AdminError("a link cannot be opened with this member's key") from None
        payload: bytes = found.payload
        return payload


def fingerprint(name: str, public: str) -> str:
    """What two people compare by voice: 100 bits, for this name and this key alone."""
    text = base64.b32encode(sha256(f"rollcall member\0{name}\0{public}".encode()).digest()).decode()
    return "-".join(text[start : start + 4] for start in range(0, 20, 4))


def stretched(passphrase: str, salt: bytes, purpose: bytes) -> bytes:
    """32 bytes of a passphrase. Another purpose gives others, whatever salt a collector hands out."""
    try:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
    except ImportError:
        raise AdminError("Argon2id is missing; install cryptography 44 or newer") from None
    return Argon2id(
        salt=salt,
        length=KEY_BYTES,
        iterations=COST.passes,
        lanes=COST.lanes,
        memory_cost=COST.memory,
        ad=purpose,
    ).derive(passphrase.encode())


def sign_in_secret(passphrase: str, salt: str) -> bytes:
    """What is proved by SRP in place of the passphrase. AdminError for a salt that is too short."""
    return stretched(passphrase, _salt(salt), b"rollcall sign-in").hex().encode()


def wrap(key: Key, name: str, passphrase: str) -> str:
    """A private key under a passphrase, as JSON."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    secret = stretched(passphrase, salt, b"rollcall key")
    text = AESGCM(secret).encrypt(nonce, key.private, _bound_to(name))
    found = {"kdf": "argon2id", "memory": COST.memory, "passes": COST.passes, "lanes": COST.lanes}
    return json.dumps({**found, "salt": salt.hex(), "nonce": nonce.hex(), "text": text.hex()})


def unwrap(wrapped: str, name: str, passphrase: str) -> Key:
    """The key. AdminError if the passphrase is wrong, or anything was changed or made weaker."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        found = json.loads(wrapped)
        cost = Cost(found["memory"], found["passes"], found["lanes"])
        nonce, text = bytes.fromhex(found["nonce"]), bytes.fromhex(found["text"])
        salt = _salt(found["salt"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise AdminError("the collector's copy of the private key cannot be read") from None
    if found.get("kdf") != "argon2id" or cost != COST:
        raise AdminError("the collector names weaker parameters for the passphrase than are used here")
    try:
        data = AESGCM(stretched(passphrase, salt, b"rollcall key")).decrypt(nonce, text, _bound_to(name))
    except (InvalidTag, ValueError):
        raise AdminError("the collector's copy of the private key is another one, or was changed") from None
    return Key.of_private(data)


def roster_code(group: Key, text: str) -> str:
    """The code that only whoever has the support key's private half can make for a roster."""
    secret = hmac.digest(group.private, b"rollcall roster", sha256)
    return hmac.digest(secret, text.encode(), sha256).hex()


def recovery_code(group: Key) -> str:
    """The private half of a support key, to be written down: 56 characters in groups of four."""
    data = group.private + sha256(group.private).digest()[:CHECK_BYTES]
    text = base64.b32encode(data).decode().rstrip("=")
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def key_of_recovery(code: str) -> Key:
    """The key that a recovery code stands for. AdminError if it was written down wrong."""
    text = "".join(code.split()).replace("-", "").upper()
    try:
        data = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        data = b""
    if (
        len(data) != KEY_BYTES + CHECK_BYTES
        or sha256(data[:KEY_BYTES]).digest()[:CHECK_BYTES] != data[KEY_BYTES:]
    ):
        raise AdminError("this is no recovery code: a character is wrong or missing")
    return Key.of_private(data[:KEY_BYTES])


def _bound_to(name: str) -> bytes:
    return b"rollcall member\0" + name.encode()


def _salt(text: str) -> bytes:
    salt = bytes.fromhex(text)
    if len(salt) < SALT_BYTES:
        raise AdminError("the collector hands out a salt that is too short")
    return salt


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
