"""The page as an ASGI application, asked in this process: no socket, the real store, a clock of one's own."""

from __future__ import annotations

import asyncio
import json
import re
import weakref
from collections.abc import Coroutine, MutableMapping
from typing import Any
from urllib.parse import urlencode

from collector.admin import setup, users
from collector.base.times import DAY_MS
from collector.ingest.disk import DiskWatch
from collector.page.app import Page
from collector.settings import read_settings
from collector.store import ControlStore, Stores

NOW = 20_000 * DAY_MS + 13 * 3_600_000
TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')
HTTP_1_1 = "1.1"


def setup_cookie(control: ControlStore, now: int) -> str:
    """The cookie of somebody who opened the setup link; empty if users exist."""
    if users.any_user(control):
        return ""
    token = setup.new_link(control, "", now).partition("=")[2]
    return f"rollcall={setup.spend_link(control, token, now)}"


class Reply:
    """What came back."""

    def __init__(self, messages: list[MutableMapping[str, Any]]) -> None:
        start, *bodies = messages
        self.status: int = start["status"]
        self.headers = [(k.decode(), v.decode()) for k, v in start["headers"]]
        self.text: str = b"".join(body["body"] for body in bodies).decode()

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def token(self) -> str:
        """The token of the first form."""
        found = TOKEN.search(self.text)
        assert found, self.text
        return found[1]

    @property
    def cookie(self) -> str:
        """`name=value` of the cookie that was set, or empty."""
        return self.header("set-cookie").partition(";")[0]

    @property
    def cookies(self) -> str:
        """All cookies that were set, as a browser sends them back."""
        return "; ".join(value.partition(";")[0] for key, value in self.headers if key == "set-cookie")


class PageClient:
    """A browser without a screen. It opened the setup link, so it sees the page while no user exists."""

    def __init__(self, stores: Stores, now: int = NOW, **settings: str) -> None:
        environ = {f"ROLLCALL_COLLECTOR_{name}": value for name, value in settings.items()}
        self.now, self.clock = now, 0.0
        made = read_settings({**environ, "HOME": "/nowhere"})
        self.page = Page(
            made,
            stores,
            DiskWatch(made, stores.events),
            now=lambda: self.now / 1000,
            clock=lambda: self.clock,
        )
        self.cookie = setup_cookie(stores.control, now)
        # One loop for all that is asked, as a server has: each would leave threads with connections.
        self._loop = asyncio.new_event_loop()
        weakref.finalize(self, self._loop.close)

    def get(self, path: str, **more: Any) -> Reply:
        return self.request("GET", path, **more)

    def post(self, path: str, fields: dict[str, str], **more: Any) -> Reply:
        return self.request("POST", path, body=urlencode(fields).encode(), **more)

    def request(self, method: str, target: str, **told: Any) -> Reply:
        return self._loop.run_until_complete(self.ask(method, target, **told))

    def together(self, *requests: Coroutine[Any, Any, Reply]) -> list[Reply]:
        """The replies to requests that are sent at the same time; see `ask`."""

        async def gathered() -> list[Reply]:
            return await asyncio.gather(*requests)

        return self._loop.run_until_complete(gathered())

    async def ask(
        self,
        method: str,
        target: str,
        *,
        body: bytes = b"",
        peer: str = "127.0.0.1",
        host: str = "127.0.0.1:8787",
        cookie: str | None = None,
        version: str = HTTP_1_1,
        **headers: str,
    ) -> Reply:
        cookie = self.cookie if cookie is None else cookie
        path, _, query = target.partition("?")
        told = {"host": host, **({"cookie": cookie} if cookie else {}), **headers}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in told.items()],
            "client": (peer, 1),
            "scheme": "http",
            "http_version": version,
        }
        messages: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: MutableMapping[str, Any]) -> None:
            messages.append(message)

        await self.page(scope, receive, send)
        return Reply(messages)

    def sign_in(self, name: str, password: str, **more: str) -> str:
        """The session's cookie."""
        form = self.get("/signin", **more)
        fields = {"token": form.token, "name": name, "password": password}
        reply = self.post("/signin", fields, cookie=form.cookie, **more)
        assert reply.status == 303, reply.text
        return reply.cookie
