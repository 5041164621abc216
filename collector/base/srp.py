"""SRP-6a (RFC 5054): a member proves a secret to the collector, which never sees it and stores a verifier.

The group has 3072 bits and the hash is SHA-256. Both are fixed here, so that nobody can ask for less.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

PRIVATE_BYTES = 32
_PRIME = """
ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd
ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed
ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f
83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b
e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa0510
15728e5a8aaac42dad33170d04507a33a85521abdf1cba64ecfb850458dbef0a8aea71575d060c7db3970f85a6e1e4c7
abf5ae8cdb0933d71e8c94e04a25619dcee3d2261ad2ee6bf12ffa06d98a0864d87602733ec86a64521f2b18177b200c
bbe117577a615d6c770988c0bad946e208e24fa074e5ab3143db5bfce0fd108e4b82d120a93ad2caffffffffffffffff
"""


class SrpError(Exception):
    """The other side does not know the secret, or does not keep to the protocol."""


@dataclass(frozen=True)
class Group:
    """A prime, a generator and a hash."""

    prime: int
    generator: int
    digest: Callable[[bytes], Any]

    @cached_property
    def size(self) -> int:
        return (self.prime.bit_length() + 7) // 8

    def pad(self, number: int) -> bytes:
        return number.to_bytes(self.size, "big")

    def hashed(self, *parts: bytes) -> bytes:
        found: bytes = self.digest(b"".join(parts)).digest()
        return found

    def number(self, *parts: bytes) -> int:
        return int.from_bytes(self.hashed(*parts), "big")

    @cached_property
    def multiplier(self) -> int:
        return self.number(self.pad(self.prime), self.pad(self.generator))

    def private(self, name: str, secret: bytes, salt: bytes) -> int:
        """x, which only the member can compute."""
        return self.number(salt, self.hashed(name.encode(), b":", secret))

    def verifier(self, name: str, secret: bytes, salt: bytes) -> int:
        """What the collector stores."""
        return pow(self.generator, self.private(name, secret, salt), self.prime)

    def scrambler(self, client: int, server: int) -> int:
        return self.number(self.pad(client), self.pad(server))

    def checked(self, public: int) -> int:
        """A public value that is not 0 modulo the prime: with 0, no secret is needed. Otherwise SrpError."""
        if not 0 < public < self.prime:
            raise SrpError("the other side sent a value that gives the secret away")
        return public

    def proofs(self, name: str, salt: bytes, client: int, server: int, premaster: int) -> tuple[bytes, bytes]:
        """The client's proof, and the server's answer to it."""
        key = self.hashed(self.pad(premaster))
        prime, generator = self.hashed(self.pad(self.prime)), self.hashed(bytes([self.generator]))
        mixed = bytes(a ^ b for a, b in zip(prime, generator, strict=True))
        first = self.hashed(mixed, self.hashed(name.encode()), salt, self.pad(client), self.pad(server), key)
        return first, self.hashed(self.pad(client), first, key)


GROUP = Group(int("".join(_PRIME.split()), 16), 5, sha256)


class Client:
    """The member's side of one sign-in."""

    def __init__(self, name: str, *, group: Group = GROUP, private: int | None = None) -> None:
        self._name, self._group = name, group
        self._private = secrets.randbits(PRIVATE_BYTES * 8) if private is None else private
        self.public = pow(group.generator, self._private, group.prime)
        self._answer = b""

    def premaster(self, secret: bytes, salt: bytes, server: int) -> int:
        group = self._group
        x, u = group.private(self._name, secret, salt), group.scrambler(self.public, group.checked(server))
        base = server - group.multiplier * pow(group.generator, x, group.prime)
        return pow(base % group.prime, self._private + u * x, group.prime)

    def prove(self, secret: bytes, salt: bytes, server: int) -> bytes:
        """The proof that we know the secret. SrpError if the server's value is wrong."""
        shared = self.premaster(secret, salt, server)
        proof, self._answer = self._group.proofs(self._name, salt, self.public, server, shared)
        return proof

    def check(self, answer: bytes) -> None:
        """SrpError if the server does not have our verifier."""
        if not self._answer or not hmac.compare_digest(answer, self._answer):
            raise SrpError("the collector does not have the verifier of this member")


class Server:
    """The collector's side of one sign-in, made anew from what is stored between its two requests."""

    def __init__(self, verifier: int, *, group: Group = GROUP, private: int | None = None) -> None:
        self._group, self._verifier = group, verifier
        self.private = secrets.randbits(PRIVATE_BYTES * 8) if private is None else private
        shown = pow(group.generator, self.private, group.prime)
        self.public = (group.multiplier * verifier + shown) % group.prime

    def premaster(self, client: int) -> int:
        group = self._group
        u = group.scrambler(group.checked(client), self.public)
        return pow(client * pow(self._verifier, u, group.prime), self.private, group.prime)

    def answer(self, name: str, salt: bytes, client: int, proof: bytes) -> bytes:
        """The answer to a right proof. SrpError if it is wrong."""
        wanted, answer = self._group.proofs(name, salt, client, self.public, self.premaster(client))
        if not hmac.compare_digest(proof, wanted):
            raise SrpError("the proof is wrong")
        return answer
