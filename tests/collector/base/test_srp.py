"""SRP-6a: RFC 5054's vector, another library, and what each side refuses."""

from __future__ import annotations

from hashlib import sha1, sha256

import pytest
from srptools import SRPContext
from srptools.constants import PRIME_1024, PRIME_1024_GEN, PRIME_3072, PRIME_3072_GEN

from collector.base.srp import GROUP, Client, Group, Server, SrpError

# RFC 5054, appendix B: the group of 1024 bits with SHA-1.
SMALL = Group(int(PRIME_1024, 16), int(PRIME_1024_GEN, 16), sha1)
SALT = bytes.fromhex("BEB25379D1A8581EB5A727673A2441EE")
A_PRIVATE = int("60975527035CF2AD1989806F0407210BC81EDC04E2762A56AFD529DDDA2D4393", 16)
B_PRIVATE = int("E487CB59D31AC550471E81F00F6928E01DDA08E974A004F49E61F5D105284D20", 16)
PREMASTER = """
B0DC82BABCF30674AE450C0287745E79 90A3381F63B387AAF271A10D233861E3 59B48220F7C4693C9AE12B0A6F67809F
0876E2D013800D6C41BB59B6D5979B5C 00A172B4A2A5903A0BDCAF8A709585EB 2AFAFA8F3499B200210DCC1F10EB3394
3CD67FC88A2F39A4BE5BEC4EC0A3212D C346D7E474B29EDE8A469FFECA686E5A
"""


def test_it_computes_what_rfc_5054_says() -> None:
    assert hex(SMALL.multiplier) == "0x7556aa045aef2cdd07abaf0f665c3e818913186f"
    x = SMALL.private("alice", b"password123", SALT)
    assert hex(x) == "0x94b7555aabe9127cc58ccf4993db6cf84d16c124"
    verifier = SMALL.verifier("alice", b"password123", SALT)
    assert hex(verifier).startswith("0x7e273de8696ffc4f4e337d05b4b375be")
    client = Client("alice", group=SMALL, private=A_PRIVATE)
    server = Server(verifier, group=SMALL, private=B_PRIVATE)
    assert hex(client.public).startswith("0x61d5e490f6f1b79547b0704c436f523d")
    assert hex(server.public).startswith("0xbd0c61512c692c0cb6d041fa01bb152d")
    assert SMALL.scrambler(client.public, server.public) == int(
        "CE38B9593487DA98554ED47D70A7AE5F462EF019", 16
    )
    shared = int("".join(PREMASTER.split()), 16)
    assert client.premaster(b"password123", SALT, server.public) == shared
    assert server.premaster(client.public) == shared


def test_another_library_agrees_on_our_group() -> None:
    assert (GROUP.prime, GROUP.generator) == (int(PRIME_3072, 16), int(PRIME_3072_GEN, 16))
    other = SRPContext("ann", "5ecret", prime=PRIME_3072, generator=PRIME_3072_GEN, hash_func=sha256)
    salt = bytes(range(1, 17))
    verifier = GROUP.verifier("ann", b"5ecret", salt)
    x = other.get_common_password_hash(int.from_bytes(salt, "big"))
    assert verifier == other.get_common_password_verifier(x)
    client, server = Client("ann", private=A_PRIVATE), Server(verifier, private=B_PRIVATE)
    assert client.public == other.get_client_public(client_private=A_PRIVATE)
    assert server.public == other.get_server_public(password_verifier=verifier, server_private=B_PRIVATE)
    u = other.get_common_secret(server.public, client.public)
    theirs = other.get_server_premaster_secret(
        password_verifier=verifier, server_private=B_PRIVATE, client_public=client.public, common_secret=u
    )
    assert client.premaster(b"5ecret", salt, server.public) == theirs == server.premaster(client.public)
    key = other.get_common_session_key(theirs)
    proof = other.get_common_session_key_proof(
        session_key=key,
        salt=int.from_bytes(salt, "big"),
        server_public=server.public,
        client_public=client.public,
    )
    assert client.prove(b"5ecret", salt, server.public) == proof
    answer = server.answer("ann", salt, client.public, proof)
    assert answer == other.get_common_session_key_proof_hash(
        session_key=key, session_key_proof=proof, client_public=client.public
    )
    client.check(answer)


def test_a_wrong_secret_a_wrong_verifier_and_a_value_of_zero_are_refused() -> None:
    salt = b"s" * 16
    client, server = Client("ann"), Server(GROUP.verifier("ann", b"right", salt))
    with pytest.raises(SrpError, match="the proof is wrong"):
        server.answer("ann", salt, client.public, client.prove(b"wrong", salt, server.public))
    imposter = Server(GROUP.verifier("ann", b"guess", salt))
    proof = client.prove(b"right", salt, imposter.public)
    wanted, answer = GROUP.proofs(
        "ann", salt, client.public, imposter.public, imposter.premaster(client.public)
    )
    assert proof != wanted
    with pytest.raises(SrpError, match="does not have the verifier"):
        client.check(answer)
    for zero in (0, GROUP.prime, 2 * GROUP.prime):
        with pytest.raises(SrpError, match="gives the secret away"):
            client.prove(b"right", salt, zero)
        with pytest.raises(SrpError, match="gives the secret away"):
            server.premaster(zero)
    with pytest.raises(SrpError):
        Client("ann").check(b"")
