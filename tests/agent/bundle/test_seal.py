"""Sealed bundles are JWE, and tell nothing outside."""

import base64
import json

import pytest
from jwcrypto import jwe, jwk

from agent.bundle.seal import Seal


def new_key() -> jwk.JWK:
    return jwk.JWK.generate(kty="OKP", crv="X25519")


def opened(sealed: bytes, key: jwk.JWK) -> bytes:
    found = jwe.JWE()
    found.deserialize(sealed.decode(), key)
    payload: bytes = found.payload
    return payload


def test_only_the_thumbprint_and_the_algorithms_stand_outside() -> None:
    key = new_key()
    seal = Seal(key.export_public())
    head, *_ = seal.seal(b"data").split(b".")
    header = json.loads(base64.urlsafe_b64decode(head + b"=="))
    assert set(header) == {"alg", "enc", "kid", "epk"}
    assert (header["kid"], seal.thumbprint) == (key.thumbprint(), key.thumbprint())


def test_another_key_opens_nothing_and_a_changed_byte_is_noticed() -> None:
    key = new_key()
    sealed = Seal(key.export_public()).seal(b"data")
    assert opened(sealed, key) == b"data"
    with pytest.raises(jwe.InvalidJWEData):
        opened(sealed, new_key())
    head, wrapped, iv, text, tag = sealed.split(b".")
    for broken in ([head, wrapped, iv, b"AAAA", tag], [head, wrapped, iv, text[:-2], tag]):
        with pytest.raises(jwe.InvalidJWEData):
            opened(b".".join(broken), key)
