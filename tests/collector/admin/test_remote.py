"""What a collector answers to a member's machine is checked, and bounded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from collector.admin import AdminError
from collector.admin import remote as module
from collector.admin.remote import Remote
from tests.receiver import Receiver, answer

SEALED = b"head.key.iv.text.tag"
ID = sha256(SEALED).hexdigest()

pytestmark = pytest.mark.once


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


def test_only_the_bundle_that_was_asked_for_is_taken(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = Remote(receiver.endpoint)
    replayed, cut, reordered = b"an.older.bundle", SEALED[:-1], b"head.key.text.iv.tag"
    for other in (replayed, cut, reordered, b""):
        receiver.then = answer(200, body=other)
        with pytest.raises(AdminError, match="its SHA-256 is another one"):
            remote.fetch(ID)
    receiver.then = answer(200, body=SEALED)
    assert remote.fetch(ID) == SEALED
    monkeypatch.setattr(module, "MAX_SEALED", len(SEALED) - 1)
    with pytest.raises(AdminError, match="sends more than it may"):
        remote.fetch(ID)


# A terminal that shows this clears itself.
OBEYED = json.dumps(
    {"tables": {"bundles": [{"id": "\x1b[2J", "arrived": "", "size": 1, "run": None, "key": ""}]}}
).encode()
ODD = [
    (answer(200, body=b"[]"), "does not answer as a collector does"),
    (answer(200, body=b"[" * 100_000), "does not answer as a collector does"),
    (answer(200, body=b'{"tables": {"bundles": [{"id": 1}]}}'), "cannot be read"),
    (answer(200, body=OBEYED), "cannot be read"),
    (answer(302, {"Location": "https://elsewhere.example"}), "answers 302: no reason"),
    (answer(403, body=b'{"message": "not for you"}'), "answers 403: not for you"),
    (answer(403, body=b'{"message": "\\u001b[2J"}'), "answers 403: no reason"),
]


def test_an_odd_answer_is_one_clear_line(receiver: Receiver) -> None:
    for deed, words in ODD:
        receiver.then = deed
        with pytest.raises(AdminError, match=words):
            Remote(receiver.endpoint).bundles()


def test_a_netrc_is_never_consulted(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for token in ("token", ""):
        Remote(receiver.endpoint, token).post("/v1/members/state", {})
    sent = [request.headers.get("authorization") for request in receiver.requests]
    assert sent == ["Bearer token", None]


@pytest.mark.parametrize("base", ["http://rollcall.example", "ftp://127.0.0.1", "rollcall.example"])
def test_a_token_goes_nowhere_unencrypted(base: str) -> None:
    with pytest.raises(AdminError, match=r"is not encrypted|is not an address"):
        Remote(base, "token")
