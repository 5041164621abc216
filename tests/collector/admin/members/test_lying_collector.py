"""A collector that lies, or whose database is stolen, opens nothing."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from jwcrypto import jwe, jwk

from collector.admin import AdminError
from collector.admin.member_client import Note
from collector.admin.member_keys import Key, roster_code, unwrap
from collector.store import Stores
from tests.collector.admin.members.desks import PHRASE, Desk, Lie, Server
from tests.collector.page.test_bundles import put

pytestmark = pytest.mark.once


def every_value(stores: Stores) -> set[str | bytes]:
    """All that a thief of the database has."""
    tables = [name for (name,) in stores.control.all("SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows = [row for table in tables for row in stores.control.all(f"SELECT * FROM {table}")]
    return {value if isinstance(value, bytes) else str(value) for row in rows for value in row}


def keys_among(values: set[str | bytes]) -> set[bytes]:
    """Whatever could be a key, as bytes, as hexadecimal digits, or as base64 in a JWK."""
    texts = {value for value in values if isinstance(value, str)}
    texts |= {word for text in texts for word in re.findall(r"[\w-]+", text)}
    found = {value for value in values if isinstance(value, bytes)}
    found |= {bytes.fromhex(text) for text in texts if re.fullmatch("([0-9a-f]{2})+", text)}
    found |= {urlsafe_b64decode(f"{text}=") for text in texts if re.fullmatch(r"[\w-]{43}", text, re.ASCII)}
    return {value for value in found if len(value) == 32}


def test_a_stolen_database_opens_nothing(pair: tuple[Desk, Desk], stores: Stores) -> None:
    ann, _ = pair
    group = ann.enter().current_key()
    bundle = group.seal(b"what went wrong")
    put(stores, bundle.encode(), "shop")
    stolen = every_value(stores)
    assert bundle.encode() in stolen
    links = [link for (link,) in stores.control.all("SELECT link FROM member_links")]
    wrapped: dict[str, str] = dict(stores.control.all("SELECT name, wrapped FROM members"))
    tried = 0
    for data in keys_among(stolen):
        for sealed in (bundle, *links):
            tried += 1
            with pytest.raises(AdminError):
                Key.of_private(data).open(sealed)
    for guess in stolen:
        for name, text in wrapped.items():
            tried += 1
            with pytest.raises(AdminError):
                unwrap(text, name, guess if isinstance(guess, str) else guess.hex())
    assert tried > 100
    assert group.private in keys_among({group.private_jwk, *stolen}), (
        "it would be found in any of these forms"
    )
    assert group.private in keys_among({f'"{group.private.hex()}"'}) & keys_among({group.private})
    link = unwrap(wrapped["ann"], "ann", PHRASE).open(links[0])
    assert Key.of_private(link).open(bundle) == b"what went wrong", "who has a passphrase opens it"


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

    def weaker_link(**header: str) -> Lie:
        def lie(answer: dict[str, Any]) -> None:
            head = json.dumps({"alg": "ECDH-ES+A256KW", "enc": "A256GCM", **header})
            public = json.loads(answer["roster"]["text"])["members"]["ann"]
            mine = jwk.JWK(kty="OKP", crv="X25519", x=public)
            (key,) = answer["links"]
            answer["links"][key] = jwe.JWE(other.private, head, recipient=mine).serialize(compact=True)

        return lie

    def weaker(name: str, value: Any) -> Lie:
        def lie(answer: dict[str, Any]) -> None:
            answer["wrapped"] = json.dumps({**json.loads(answer["wrapped"]), name: value})

        return lie

    yield "state", swapped_member, "another key for 'eve'"
    yield "state", swapped_group, "presents a new support key"
    yield "state", swapped_link, "another key into a link"
    yield "state", longer_roster, "changed by somebody who is none"
    yield "state", cut_link, "a link cannot be opened"
    yield "state", weaker_link(), "another key into a link"
    yield "state", weaker_link(alg="ECDH-ES+A128KW"), "a link cannot be opened"
    yield "state", weaker_link(enc="A128GCM"), "a link cannot be opened"
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


@pytest.mark.parametrize(("verb", "lie", "words"), list(lies()), ids=range(18))
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


def test_what_a_terminal_obeys_is_not_shown(pair: tuple[Desk, Desk], server: Server) -> None:
    ann, member = pair[0], pair[0].enter()
    server.lies["state"] = lambda answer: answer["accounts"][0].update(name="\x1b[2J")
    with pytest.raises(AdminError, match="does not answer as a collector does"):
        member.people()
    odd: list[object] = [{"revision": 1, "current": "\x1b[2J"}, {"current": "key"}, []]
    for roster in odd:
        server.lies["state"] = partial(dict.update, roster=roster)
        with pytest.raises(AdminError, match="does not answer as a collector does"):
            member.current_key()
    server.lies.clear()
    assert [one.name for one in ann.enter().people()] == ["ann", "bob"]


def test_a_key_that_was_replaced_is_not_presented_again(pair: tuple[Desk, Desk], server: Server) -> None:
    ann, _ = pair
    state = server.ask("/v1/members/state", {}, ann.enter().remote._token)[1]
    ann.enter().remove("bob", keep_key=False)
    server.lies["state"] = lambda answer: answer.update(roster=state["roster"], links=state["links"])
    with pytest.raises(AdminError, match="was replaced"):
        ann.enter().current_key()


def test_a_list_of_members_that_was_replaced_is_not_presented_again(
    pair: tuple[Desk, Desk], server: Server
) -> None:
    ann, _ = pair
    roster = server.ask("/v1/members/state", {}, ann.enter().remote._token)[1]["roster"]
    ann.enter().remove("bob", keep_key=True)
    server.lies["state"] = lambda answer: answer["roster"].update(text=roster["text"], code=roster["code"])
    with pytest.raises(AdminError, match="a list of members that was replaced"):
        ann.enter().remove("nobody", keep_key=True)
    server.lies.clear()
    ann.enter().remove("nobody", keep_key=True)


def test_a_list_of_members_without_a_number_is_the_oldest(pair: tuple[Desk, Desk], server: Server) -> None:
    ann = pair[0]
    group = ann.enter().current_key()

    def present(**more: Any) -> None:
        def lie(answer: dict[str, Any]) -> None:
            told = json.loads(answer["roster"]["text"])
            text = json.dumps({"key": told["key"], "members": told["members"], **more})
            answer["roster"].update(text=text, code=roster_code(group, text))

        server.lies["state"] = lie

    present()
    with pytest.raises(AdminError, match="a list of members that was replaced"):
        ann.enter().remove("nobody", keep_key=True)
    present(revision="2")
    with pytest.raises(AdminError, match="the list of members has no number"):
        ann.enter().remove("nobody", keep_key=True)
    present()
    ann.note = replace(Note.read(ann.note.path), revision=0)  # as an older version left it
    ann.note.save()
    ann.enter().remove("nobody", keep_key=True)
