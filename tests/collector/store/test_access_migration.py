"""A database of the first version, whose users had one of two roles, opens with its users as they were."""

from __future__ import annotations

from contextlib import closing

import pytest

from collector.admin import tokens, users
from collector.store import ControlStore, migrations, open_database
from collector.store.migrations import MIGRATIONS, first_schema, page_tables
from tests.collector.page.conftest import PASSWORD


def test_users_are_kept_and_sign_in_again(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = users.hash_password(PASSWORD)
    with monkeypatch.context() as before:
        before.setattr(migrations, "MIGRATIONS", (first_schema, page_tables))
        with closing(open_database(database)) as old, old.transaction() as tx:
            sql = "INSERT INTO users (name, role, password, created) VALUES (?, ?, ?, 7)"
            tx.execute(sql, "ada", "support", kept)
            tx.execute("INSERT INTO sessions VALUES (?, 'ada', 7, 7)", b"token")
    assert migrations.MIGRATIONS == MIGRATIONS
    with closing(open_database(database)) as new:
        assert users.list_users(ControlStore(new)) == [("ada", "support", None, 7)]
        assert new.all("SELECT password FROM users") == [(kept,)]
        assert new.all("SELECT * FROM sessions") == []
        users.add_user(ControlStore(new), "root", "admin", PASSWORD, 8)
        with new.transaction() as tx:
            tx.execute("INSERT INTO sessions VALUES (?, 'ada', 7, 7)", b"token")
        users.remove_user(ControlStore(new), "ada", 9)
        assert new.all("SELECT * FROM sessions") == []
        assert tokens.list_tokens(ControlStore(new)) == []
