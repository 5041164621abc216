"""People at their own machines, and the collector that they ask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

from collector.admin import tokens
from collector.admin.member_client import Member, Note, join, sign_in
from collector.ingest.allowance import Allowance
from collector.serve.members import MembersApi
from collector.settings import read_settings
from collector.store import Stores

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


class Desk:
    """The machine of one person."""

    def __init__(self, server: Server, folder: Path, name: str) -> None:
        self.server, self.name = server, name
        self.note = Note(folder / name / "member.json", BASE, name)

    def join(self, phrase: str = PHRASE) -> str:
        return join(self.note, self.server.token, phrase)[0]

    def enter(self, phrase: str = PHRASE) -> Member:
        return sign_in(Note.read(self.note.path), phrase)
