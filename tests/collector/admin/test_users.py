"""Users and their passwords."""

from __future__ import annotations

from hashlib import scrypt

from collector.admin.users import hash_password, password_is
from tests.collector.running import Collector


def test_users_are_added_listed_and_removed(idle: Collector) -> None:
    idle.verb("users", "add", "ada", "--role", "support", stdin="correct horse\n")
    assert idle.verb("users", "list").stdout.startswith("ada\tsupport\t")
    assert "already" in idle.verb("users", "add", "ada", stdin="correct horse\n", code=1).stderr
    assert "at least" in idle.verb("users", "add", "bob", stdin="short\n", code=1).stderr
    idle.verb("users", "remove", "ada")
    assert "does not exist" in idle.verb("users", "remove", "ada", code=1).stderr


def test_a_password_is_known_again_and_no_other() -> None:
    kept = hash_password("correct horse")
    assert password_is("correct horse", kept)
    assert not password_is("battery staple", kept)
    scheme, salt, digest = kept.split("$")
    assert scheme == "scrypt"
    assert digest == scrypt(b"correct horse", salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32).hex()
    assert hash_password("correct horse") != kept
