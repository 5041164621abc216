"""Write keys."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import pytest

from collector.admin import keys
from collector.store import open_stores
from tests.collector.running import Collector


def test_keys_add_prints_the_key_alone_and_keeps_a_digest(idle: Collector) -> None:
    key = idle.verb("keys", "add", "web").stdout
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}\n", key)
    assert key.strip() not in idle.verb("keys", "list").stdout
    assert key.strip().encode() not in Path(idle.home, "collector.db").read_bytes()
    idle.verb("keys", "revoke", key[:6])
    assert "revoked" in idle.verb("keys", "list").stdout
    assert "no valid key matches" in idle.verb("keys", "revoke", key.strip(), code=1).stderr


def test_no_key_looks_like_an_option(idle: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter(["-" + "a" * 31, "b" * 32])
    monkeypatch.setattr(secrets, "token_urlsafe", lambda _: next(made))
    stores = open_stores(idle.database)
    assert keys.add_key(stores.control, "s", 0) == "b" * 32
    stores.close()
