"""Users and their passwords."""

from __future__ import annotations

from hashlib import scrypt

from collector.admin.audit import FOLD_MS, KEEP_MS, latest_entries, record, record_failure
from collector.admin.users import hash_password, is_outdated, password_is
from collector.store import Stores
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
    *head, salt, digest = kept.split("$")
    assert head == ["scrypt", "16384", "8", "5"]
    raw = scrypt(b"correct horse", salt=bytes.fromhex(salt), n=2**14, r=8, p=5, dklen=32)
    assert digest == raw.hex()
    assert hash_password("correct horse") != kept
    assert not is_outdated(kept)


def test_a_password_is_known_from_a_hash_at_the_cost_that_the_hash_names() -> None:
    for cost, head in (((2**14, 8, 1), "scrypt$"), ((2**10, 8, 2), "scrypt$1024$8$2$")):
        n, r, p = cost
        digest = scrypt(b"correct horse", salt=b"s" * 16, n=n, r=r, p=p, dklen=32).hex()
        kept = f"{head}{(b's' * 16).hex()}${digest}"
        assert password_is("correct horse", kept)
        assert not password_is("battery staple", kept)
        assert is_outdated(kept)


def test_the_audit_log_says_who_changed_what(idle: Collector) -> None:
    key = idle.verb("keys", "add", "product").stdout
    idle.verb("users", "add", "ada", "--role", "viewer", "--source", "product", stdin="correct horse\n")
    token = idle.verb("tokens", "add", "report").stdout
    idle.verb("tokens", "revoke", token.strip())
    idle.verb("keys", "revoke", "1")
    idle.verb("users", "remove", "ada")
    idle.verb("users", "remove", "ada", code=1)
    idle.verb("setup-link")
    said = idle.verb("audit").stdout
    entries = [line.split("\t")[1:] for line in said.splitlines()]
    assert entries == [
        ["the command line", "added key", f"product ({key[:6]}…)"],
        ["the command line", "added user", "ada (viewer, product)"],
        ["the command line", "added token", "report (viewer, all sources)"],
        ["the command line", "revoked token", "report"],
        ["the command line", "revoked key", f"{key[:6]}…"],
        ["the command line", "removed user", "ada"],
        ["the command line", "made a setup link"],
    ]
    assert key.strip() not in said
    assert token.strip() not in said
    assert idle.verb("audit", "-n", "1").stdout.endswith("made a setup link\n")


def test_the_audit_log_is_kept_for_a_year(stores: Stores) -> None:
    for at in (0, 1, KEEP_MS, KEEP_MS + 1):
        with stores.control.transaction() as tx:
            record(tx, at, "ada", "signed in")
    assert [entry.at for entry in latest_entries(stores.control, 10)] == [KEEP_MS + 1, KEEP_MS, 1]


def test_the_same_failure_within_an_hour_is_one_entry(stores: Stores) -> None:
    for at, who in ((0, "ada"), (1, "ada"), (2, "eve"), (FOLD_MS, "ada"), (FOLD_MS + 1, "ada")):
        with stores.control.transaction() as tx:
            record_failure(tx, at, who, "failed")
    assert [(e.at, e.actor, e.times) for e in latest_entries(stores.control, 10)] == [
        (FOLD_MS, "ada", 2),
        (2, "eve", 1),
        (0, "ada", 2),
    ]
