"""Members let each other in and out."""

from __future__ import annotations

import json
import threading
from argparse import Namespace
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from collector.admin import AdminError, member_records, tokens
from collector.admin.member_keys import Key, fingerprint, key_of_recovery, recovery_code
from collector.store.database import Transaction
from collector.verbs import members as verbs
from tests.collector.admin.members.desks import PHRASE, Desk, Server
from tests.collector.conftest import BOTH

pytestmark = pytest.mark.once


@pytest.mark.parametrize("database", BOTH, indirect=True)
def test_two_members_open_what_is_sealed_for_their_key(pair: tuple[Desk, Desk]) -> None:
    ann, bob = pair
    key = ann.enter().current_key()
    sealed = Key(json.loads(key.public_jwk)).seal(b"bundle")
    assert bob.enter().current_key().open(sealed) == b"bundle"
    assert [one.state for one in bob.enter().people()] == ["member", "member"]
    assert key_of_recovery(recovery_code(key).lower()).open(sealed) == b"bundle"


def test_the_passphrase_is_never_sent(pair: tuple[Desk, Desk], server: Server) -> None:
    said = json.dumps(server.heard)
    assert len(server.heard) > 10
    assert PHRASE not in said
    for _, body in server.heard:
        for value in body.values():
            assert value not in (PHRASE.encode().hex(), PHRASE)


def test_who_is_removed_has_nothing_of_the_next_key(
    pair: tuple[Desk, Desk], desk: Callable[[str], Desk]
) -> None:
    ann, bob = pair
    cas = desk("cas")
    ann.enter().approve("cas", cas.join())
    old = ann.enter().current_key()
    cas.enter().trust(old.thumbprint)
    bobs = bob.enter()
    new = ann.enter().remove("bob", keep_key=False)
    for refused in (bob.enter, bobs.current_key):
        with pytest.raises(AdminError, match="401"):
            refused()
    with pytest.raises(AdminError, match="presents a new support key"):
        cas.enter().current_key()
    with pytest.raises(AdminError, match="not the collector's support key"):
        cas.enter().trust(old.thumbprint)
    cas.enter().trust(new.thumbprint)
    assert cas.enter().current_key().thumbprint == new.thumbprint
    assert set(cas.enter().support_keys()) == {old.thumbprint, new.thumbprint}, "what is under way is opened"


def test_who_removes_somebody_is_told_to_revoke_their_token(
    pair: tuple[Desk, Desk], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It fetches bundles, and who was removed opens those for the old key."""
    ann, bob = pair
    monkeypatch.setattr(verbs, "signed_in", lambda _: ann.enter())
    verbs._remove(Namespace(name=bob.name, keep_key=False))
    shown = capsys.readouterr()
    assert "Revoke the API token that they joined with (rollcall-collector tokens revoke NAME)" in shown.err
    assert json.loads(shown.out) == json.loads(ann.enter().current_key().public_jwk)


def test_a_lost_passphrase_is_mended_by_another_member(pair: tuple[Desk, Desk]) -> None:
    ann, bob = pair
    key = ann.enter().current_key().thumbprint
    ann.enter().remove("bob", keep_key=True)
    bob.note.path.unlink()
    bob.note.keys = []
    ann.enter().approve("bob", bob.join("another passphrase"))
    bob.enter("another passphrase").trust(key)
    assert bob.enter("another passphrase").current_key().thumbprint == key


def test_who_waits_changes_nothing(
    pair: tuple[Desk, Desk], desk: Callable[[str], Desk], server: Server
) -> None:
    eve = desk("eve")
    eve.join()
    with pytest.raises(AdminError, match="knows no support key yet"):
        eve.enter().approve("eve", fingerprint("eve", eve.enter().key.public))
    with pytest.raises(AdminError, match="no link to this key"):
        eve.enter().trust(pair[0].enter().current_key().thumbprint)
    with pytest.raises(AdminError, match="only a member may change"):
        eve.enter().begin_group()
    assert not member_records.is_member(server.control, "eve")


@pytest.mark.parametrize("database", BOTH, indirect=True)
def test_of_two_who_change_something_at_once_one_is_refused(
    pair: tuple[Desk, Desk], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, both = member_records._allowed_revision, threading.Barrier(2)
    sql = "SELECT revision, text FROM member_roster"
    ((before, _),) = server.control.all(sql)

    def read_slowly(tx: Transaction, name: str) -> int:
        revision = read(tx, name)
        with suppress(threading.BrokenBarrierError):
            both.wait(2)  # until the other one has read it too, if that is possible
        return revision

    def change(name: str) -> str:
        text = f"the list of {name}"
        wanted = member_records.Change(before, "key", text, "code", ["ann", "bob"])
        try:
            member_records.change_members(server.control, name, wanted, 0)
        except AdminError as why:
            return str(why)
        return text

    monkeypatch.setattr(member_records, "_allowed_revision", read_slowly)
    with ThreadPoolExecutor(2) as threads:
        told = list(threads.map(change, ("ann", "bob")))
    ((after, text),) = server.control.all(sql)
    assert (after, text in told) == (before + 1, True)
    assert [why for why in told if why != text] == [
        "another member has changed something meanwhile; run the verb again"
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"revision": "x"}, 400), ({"revision": 0, "links": 7}, 400), ({"name": 7}, 400)],
)
def test_a_body_of_another_form_is_refused(
    pair: tuple[Desk, Desk], server: Server, body: dict[str, Any], status: int
) -> None:
    token = pair[0].enter().remote._token
    assert server.ask("/v1/members/change", body, token)[0] == status
    assert server.ask("/v1/members/nothing", body, token)[0] == 404


def test_what_was_written_down_wrong_is_no_recovery_code() -> None:
    code = recovery_code(Key.new())
    assert len(code.replace("-", "")) == 56
    for wrong in (code[:-1], "A" + code[1:] if code[0] != "A" else "B" + code[1:], "", "x" * 56, "é"):
        with pytest.raises(AdminError, match="no recovery code"):
            key_of_recovery(wrong)


def test_a_short_passphrase_a_taken_name_and_a_small_token_are_refused(
    pair: tuple[Desk, Desk], desk: Callable[[str], Desk], server: Server, tmp_path: Path
) -> None:
    with pytest.raises(AdminError, match="12 characters"):
        desk("dan").join("short")
    with pytest.raises(AdminError, match="exists already"):
        Desk(server, tmp_path / "elsewhere", "bob").join()
    server.token = tokens.add_token(server.control, "small", "viewer", None, 0)
    with pytest.raises(AdminError, match="role support"):
        desk("dan").join()
    assert not desk("dan").note.path.exists()
