"""Signing in: what a stranger may try, and what an attempt costs nobody else."""

from __future__ import annotations

import hmac
import sys
from collections.abc import Callable
from typing import Any

import pytest

from collector.admin import AdminError, member_keys, member_records
from collector.base.srp import Client
from collector.page.access.limits import NAME_TRIES, TRIES
from tests.collector.admin.members.desks import PHRASE, Desk, Server

pytestmark = pytest.mark.once


def test_a_sign_in_serves_once_and_not_for_long(pair: tuple[Desk, Desk], server: Server) -> None:
    proofs = [body for path, body in server.heard if path.endswith("prove")]
    replayed = server.ask("/v1/members/prove", proofs[-1], "")
    assert (replayed[0], replayed[1]["message"]) == (401, "this sign-in is over; begin again")
    begun = server.ask("/v1/members/begin", {"name": "ann", "client": "5"}, "")[1]
    server.now += 61
    late = server.ask("/v1/members/prove", {"name": "ann", "id": begun["id"], "proof": "00" * 32}, "")
    assert late[1]["message"] == "this sign-in is over; begin again"
    member = pair[0].enter()
    server.now += 3601
    with pytest.raises(AdminError, match="sign in first"):
        member.people()


def test_a_stranger_learns_no_name_and_guesses_seldom(pair: tuple[Desk, Desk], server: Server) -> None:
    def begin(name: str) -> dict[str, Any]:
        return server.ask("/v1/members/begin", {"name": name, "client": "5"}, "")[1]

    known, unknown = begin("ann"), begin("nobody")
    assert set(known) == set(unknown)
    assert (unknown["authSalt"], unknown["srpSalt"]) == (begin("nobody")["authSalt"], unknown["srpSalt"])
    assert unknown["authSalt"] != begin("somebody")["authSalt"]
    statuses = [
        server.ask("/v1/members/begin", {"name": "ann", "client": "5"}, "")[0] for _ in range(int(TRIES))
    ]
    assert statuses[-1] == 429
    for path in ("state", "change", "join"):
        assert server.ask(f"/v1/members/{path}", {}, "")[0] == 401


def test_guesses_from_elsewhere_do_not_keep_a_member_out(pair: tuple[Desk, Desk], server: Server) -> None:
    ann, bob = pair

    def begin(name: str, known: str) -> int:
        return server.ask("/v1/members/begin", {"name": name, "client": "5", "known": known}, "")[0]

    for number in range(int(NAME_TRIES)):
        server.peer = f"198.51.100.{number}"
        assert begin("ann", "") == 200
    server.peer = "192.0.2.1"
    for mark in ("", "x.y", ann.note.known + "0", bob.note.known):
        assert begin("ann", mark) == 429
    assert ann.enter().people()
    assert [begin("ann", ann.note.known) for _ in range(6)] == [200] * 5 + [429]


def test_a_right_proof_takes_back_no_guess_at_another_name(pair: tuple[Desk, Desk], server: Server) -> None:
    def begin(name: str, **more: str) -> tuple[int, dict[str, Any]]:
        return server.ask("/v1/members/begin", {"name": name, "client": "5", **more}, "")

    for number in range(int(NAME_TRIES)):
        server.peer = f"198.51.100.{number}"
        assert begin("bob")[0] == 200
    client = Client("ann")
    begun = begin("ann", client=f"{client.public:x}")[1]
    secret = member_keys.sign_in_secret(PHRASE, begun["authSalt"])
    proof = client.prove(secret, bytes.fromhex(begun["srpSalt"]), int(begun["server"], 16)).hex()
    assert server.ask("/v1/members/prove", {"name": "bob", "id": begun["id"], "proof": proof}, "")[0] == 200
    assert begin("bob")[0] == 429


def test_sign_ins_that_do_not_end_keep_nobody_out(
    pair: tuple[Desk, Desk], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_records, "MOST_CHALLENGES", 2)
    now = int(server.now * 1000)
    begun = [member_records.begin_sign_in(server.control, "bob", 5, now + number).id for number in range(3)]
    for number, words in zip(begun, ("is over", "passphrase is wrong", "passphrase is wrong"), strict=True):
        with pytest.raises(member_records.NotAllowed, match=words):
            member_records.finish_sign_in(server.control, number, bytes(32), now)
    assert pair[0].enter().people()


def test_a_sign_in_as_nobody_is_the_same_work_and_stays_the_same(
    server: Server, desk: Callable[[str], Desk]
) -> None:
    control, now = server.control, int(server.now * 1000)

    def powers(work: Callable[[], object]) -> int:
        counted: list[object] = []
        sys.setprofile(lambda _, event, found: counted.append(found) if found is pow else None)
        try:
            work()
        finally:
            sys.setprofile(None)
        return len(counted)

    def prove(name: str) -> None:
        begun = member_records.begin_sign_in(control, name, 5, now)
        with pytest.raises(member_records.NotAllowed, match="name or the passphrase"):
            member_records.finish_sign_in(control, begun.id, bytes(32), now)

    before = member_records.begin_sign_in(control, "nobody", 5, now)
    guessed = hmac.digest(b"", b"auth nobody", "sha256").hex()
    assert not guessed.startswith(before.auth_salt)
    desk("ann").join()
    assert member_records.begin_sign_in(control, "nobody", 5, now).auth_salt == before.auth_salt
    assert powers(lambda: prove("ann")) == powers(lambda: prove("nobody")) > 2
