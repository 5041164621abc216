"""Members let each other in and out, and a collector that lies, or that was stolen, opens nothing."""

from __future__ import annotations

import asyncio
import hmac
import json
import sys
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from collector.admin import AdminError, member_keys, members, membership, remote, tokens
from collector.admin.member_keys import Cost, Key, fingerprint, key_of_recovery, recovery_code, unwrap
from collector.admin.membership import Member, Note, join, sign_in
from collector.base.srp import Client
from collector.ingest.allowance import Allowance
from collector.page.access.limits import NAME_TRIES, TRIES
from collector.serve.members import MembersApi
from collector.settings import read_settings
from collector.store import Stores
from tests.collector.cluster import Cluster
from tests.collector.conftest import BOTH

pytestmark = pytest.mark.once
PHRASE = "correct horse battery"
BASE = "https://rollcall.example"
Lie = Callable[[dict[str, Any]], None]


class Server:
    """A collector's API for members, asked in this process; it may lie in its answers."""

    def __init__(self, stores: Stores) -> None:
        self.stores, self.control = stores, stores.control
        self.now, self.clock = 1_800_000_000.0, 0.0
        settings = read_settings({"HOME": "/x"})
        allowance = Allowance(settings, lambda: self.now, lambda: self.clock)
        self.api = MembersApi(settings, stores.control, allowance, lambda: self.now, lambda: self.clock)
        self.token = tokens.add_token(stores.control, "join", "support", None, 0)
        self.lies: dict[str, Lie] = {}
        self.peer = "127.0.0.1"
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def ask(self, path: str, body: dict[str, Any], token: str) -> tuple[int, dict[str, Any]]:
        sent: list[MutableMapping[str, Any]] = []
        text = json.dumps(body).encode()

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": text}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        scope = {"method": "POST", "headers": headers, "client": (self.peer, 1)}
        asyncio.run(self.api(path, scope, receive, send))
        return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.fixture(params=["sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLite, where a test does not ask for both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/collector.db"
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.database()


@pytest.fixture
def server(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server(stores)

    class Wire(remote.Remote):
        """The network between a member and that collector."""

        def _json(self, _: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
            made.heard.append((path, body or {}))
            status, answer = made.ask(path, body or {}, self._token)
            if status != 200:
                raise AdminError(f"{status}: {answer['message']}")
            if lie := made.lies.get(path.rpartition("/")[2]):
                lie(answer)
            return answer

    monkeypatch.setattr(membership, "Remote", Wire)
    monkeypatch.setattr(member_keys, "COST", Cost(memory=64, passes=1, lanes=1))
    return made


class Desk:
    """The machine of one person."""

    def __init__(self, server: Server, folder: Path, name: str) -> None:
        self.server, self.name = server, name
        self.note = Note(folder / name / "member.json", BASE, name)

    def join(self, phrase: str = PHRASE) -> str:
        return join(self.note, self.server.token, phrase)[0]

    def enter(self, phrase: str = PHRASE) -> Member:
        return sign_in(Note.read(self.note.path), phrase)


@pytest.fixture
def desk(server: Server, tmp_path: Path) -> Callable[[str], Desk]:
    return lambda name: Desk(server, tmp_path, name)


@pytest.fixture
def pair(desk: Callable[[str], Desk]) -> tuple[Desk, Desk]:
    """Ann, the first member, has let Bob in."""
    ann, bob = desk("ann"), desk("bob")
    ann.join()
    said = bob.join()
    ann.enter().approve("bob", said.lower())
    bob.enter().trust(ann.enter().current_key().thumbprint)
    return ann, bob


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


def test_a_lost_passphrase_is_mended_by_another_member(pair: tuple[Desk, Desk]) -> None:
    ann, bob = pair
    key = ann.enter().current_key().thumbprint
    ann.enter().remove("bob", keep_key=True)
    bob.note.path.unlink()
    bob.note.keys = []
    ann.enter().approve("bob", bob.join("another passphrase"))
    bob.enter("another passphrase").trust(key)
    assert bob.enter("another passphrase").current_key().thumbprint == key


def test_a_stolen_database_opens_nothing(pair: tuple[Desk, Desk], stores: Stores) -> None:
    ann, _ = pair
    key = ann.enter().current_key()
    tables = ("members", "member_links", "member_roster", "member_sessions", "member_challenges", "audit")
    stolen = [
        value for table in tables for row in stores.control.all(f"SELECT * FROM {table}") for value in row
    ]
    texts = {value if isinstance(value, str) else repr(value) for value in stolen}
    secrets = {key.private.hex(), key.private_jwk, json.loads(key.private_jwk)["d"]}
    assert not [text for text in texts if any(secret in text for secret in secrets)]
    wrapped: list[tuple[str, str]] = [
        (name, text) for name, text in stores.control.all("SELECT name, wrapped FROM members")
    ]
    for guess in texts:
        for name, text in wrapped:
            with pytest.raises(AdminError):
                unwrap(text, name, guess)
    sealed = [link for (link,) in stores.control.all("SELECT link FROM member_links")]
    blobs = [bytes.fromhex(t) for t in texts if len(t) == 64 and all(c in "0123456789abcdef" for c in t)]
    assert blobs
    for blob in blobs:
        with pytest.raises(AdminError):
            Key.of_private(blob).open(sealed[0])
    assert unwrap(dict(wrapped)["ann"], "ann", PHRASE).open(sealed[0])


def lies() -> Iterator[Any]:
    """What a collector may change in its answers, and what a member then says."""
    other = Key.new()

    def swapped_member(answer: dict[str, Any]) -> None:
        next(one for one in answer["accounts"] if one["name"] == "eve")["public"] = other.public

    def swapped_group(answer: dict[str, Any]) -> None:
        answer["roster"]["current"] = other.thumbprint
        answer["links"] = {other.thumbprint: next(iter(answer["links"].values()))}

    def swapped_link(answer: dict[str, Any]) -> None:
        mine = json.loads(answer["roster"]["text"])["members"]["ann"]
        answer["links"] = {key: Key.of_public(mine).seal(other.private) for key in answer["links"]}

    def longer_roster(answer: dict[str, Any]) -> None:
        roster = json.loads(answer["roster"]["text"])
        roster["members"]["mallory"] = other.public
        answer["roster"]["text"] = json.dumps(roster)

    def cut_link(answer: dict[str, Any]) -> None:
        answer["links"] = {key: link[:-8] for key, link in answer["links"].items()}

    def weaker(name: str, value: Any) -> Lie:
        def lie(answer: dict[str, Any]) -> None:
            answer["wrapped"] = json.dumps({**json.loads(answer["wrapped"]), name: value})

        return lie

    yield "state", swapped_member, "another key for 'eve'"
    yield "state", swapped_group, "presents a new support key"
    yield "state", swapped_link, "another key into a link"
    yield "state", longer_roster, "changed by somebody who is none"
    yield "state", cut_link, "a link cannot be opened"
    yield "prove", weaker("passes", 0), "weaker parameters"
    yield "prove", weaker("memory", 8), "weaker parameters"
    yield "prove", weaker("kdf", "sha1"), "weaker parameters"
    yield "prove", weaker("salt", "00"), "a salt that is too short"
    yield "prove", weaker("text", "00" * 48), "another one, or was changed"
    yield "prove", lambda answer: answer.update(answer="00" * 32), "does not have the verifier"
    yield "begin", lambda answer: answer.update(authSalt="00"), "a salt that is too short"
    yield "begin", lambda answer: answer.update(server="0"), "gives the secret away"
    yield "begin", lambda answer: answer.update(server=f"{5:x}"), "the name or the passphrase is wrong"
    yield "begin", lambda answer: answer.clear(), "does not answer as a collector does"


@pytest.mark.parametrize(("verb", "lie", "words"), list(lies()), ids=range(15))
def test_a_collector_that_lies_is_caught(
    server: Server, pair: tuple[Desk, Desk], desk: Callable[[str], Desk], verb: str, lie: Lie, words: str
) -> None:
    ann, _ = pair
    said = desk("eve").join()
    server.lies[verb] = lie
    before = server.control.all("SELECT * FROM member_links")
    with pytest.raises(AdminError, match=words):
        ann.enter().approve("eve", said)
    assert server.control.all("SELECT * FROM member_links") == before
    server.lies.clear()
    ann.enter().approve("eve", said)
    assert len(server.control.all("SELECT * FROM member_links")) == len(before) + 1


def test_a_key_that_was_replaced_is_not_presented_again(pair: tuple[Desk, Desk], server: Server) -> None:
    ann, _ = pair
    state = server.ask("/v1/members/state", {}, ann.enter().remote._token)[1]
    ann.enter().remove("bob", keep_key=False)
    server.lies["state"] = lambda answer: answer.update(roster=state["roster"], links=state["links"])
    with pytest.raises(AdminError, match="was replaced"):
        ann.enter().current_key()


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
    monkeypatch.setattr(members, "MOST_CHALLENGES", 2)
    now = int(server.now * 1000)
    begun = [members.begin_sign_in(server.control, "bob", 5, now + number).id for number in range(3)]
    for number, words in zip(begun, ("is over", "passphrase is wrong", "passphrase is wrong"), strict=True):
        with pytest.raises(members.NotAllowed, match=words):
            members.finish_sign_in(server.control, number, bytes(32), now)
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
        begun = members.begin_sign_in(control, name, 5, now)
        with pytest.raises(members.NotAllowed, match="name or the passphrase"):
            members.finish_sign_in(control, begun.id, bytes(32), now)

    before = members.begin_sign_in(control, "nobody", 5, now)
    guessed = hmac.digest(b"", b"auth nobody", "sha256").hex()
    assert not guessed.startswith(before.auth_salt)
    desk("ann").join()
    assert members.begin_sign_in(control, "nobody", 5, now).auth_salt == before.auth_salt
    assert powers(lambda: prove("ann")) == powers(lambda: prove("nobody")) > 2


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
    assert not members.is_member(server.control, "eve")


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
