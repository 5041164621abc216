"""Ann and Bob, who are members, and their collector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collector.admin import AdminError, member_client, member_keys, remote
from collector.admin.member_keys import Cost
from collector.store import Stores
from tests.collector.admin.members.desks import Desk, Server
from tests.collector.conftest import new_database


@pytest.fixture(params=["sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLite, where a test does not ask for both."""
    return new_database(request, tmp_path)


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

    monkeypatch.setattr(member_client, "Remote", Wire)
    monkeypatch.setattr(member_keys, "COST", Cost(memory=64, passes=1, lanes=1))
    return made


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
