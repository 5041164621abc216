"""A collector as its users run it: a process, a port, a key."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests import environ, wait

SECONDS = wait.PATIENCE
LOUD = {"ROLLCALL_COLLECTOR_RATE": "0", "ROLLCALL_COLLECTOR_PEER_RATE": "0"}


class Reply:
    """What came back: a status, headers and a body."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self) -> Any:
        return json.loads(self.body)


class Collector:
    """A running `rollcall-collector serve`."""

    def __init__(self, home: Path, database: str, **settings: str) -> None:
        self.home, self.database, self.settings = home, database, settings
        self.key = ""
        self.port = 0
        self.announced = ""
        self.said = ""
        """What it said before it was ready."""
        self.program: Sequence[str] = ("-m", "collector")
        """What Python runs as the server."""
        self.covered = True
        """Whether its lines count; not where it is timed."""
        self.process: subprocess.Popen[str] | None = None

    def start(self, listen: str = "127.0.0.1:0") -> Collector:
        self.process = self.popen("serve", "--listen", listen)
        assert self.process.stderr is not None
        self.said = ""
        for line in self.process.stderr:
            self.said += line
            if "receiving events at" in line:
                self.announced = line
                self.port = int(line.strip().rpartition(":")[2])
                break
        else:
            raise AssertionError("the collector did not start")
        if not self.key:
            self.key = self.verb("keys", "add", "test").stdout.strip()
        return self

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, *self.program, *arguments]
        return subprocess.Popen(
            command,
            env=self.environ(),
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def environ(self) -> dict[str, str]:
        make = environ.covered if self.covered else environ.bare
        return make(self.home, **{**LOUD, "ROLLCALL_COLLECTOR_DB": self.database, **self.settings})

    def verb(
        self, *arguments: str, stdin: str = "", code: int = 0, seconds: float = SECONDS
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "collector", *arguments],
            env=self.environ(),
            cwd=Path(__file__).parents[2],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done

    def stop(self) -> str:
        """Stop gracefully; what it had said meanwhile."""
        if self.process is None:
            return ""
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, f"{process.returncode}: {said}"
        return said

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate(timeout=SECONDS)
            self.process = None

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, body or None, dict(headers or {}))
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def setup_cookie(self) -> str:
        """The cookie of a browser that has opened the page with a new setup link."""
        link = self.verb("setup-link").stdout.strip()
        return cookie_of_link(self.port, link[link.index("/setup") :])

    def get(self, path: str, **headers: str) -> Reply:
        return self.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def post(self, path: str, body: object, *, key: str | None = None, **headers: str) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        all_headers = {"Content-Type": "application/json"}
        if key != "":
            all_headers["Authorization"] = basic(self.key if key is None else key)
        all_headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self.request("POST", path, data, all_headers)

    def export(self) -> list[dict[str, Any]]:
        """Every stored event."""
        return [json.loads(line) for line in self.verb("export", "-").stdout.splitlines()]

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """The stored events, once there are so many."""
        return (
            wait.until(lambda: (events := self.export()) and len(events) >= count and events, SECONDS) or []
        )


def cookie_of_link(port: int, path: str) -> str:
    """Follow a setup link and press its button, as a browser; the cookie that opens the page."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)) as connection:

        def ask(method: str, path: str, body: str = "", cookies: str = "") -> Reply:
            connection.request(method, path, body, {"Cookie": cookies})
            return Reply(connection.getresponse())

        link = _cookie(ask("GET", path))
        button = ask("GET", "/setup", cookies=link)
        token = button.body.decode().partition('name="token" value="')[2].partition('"')[0]
        pressed = ask("POST", "/setup", f"token={token}", f"{link}; {_cookie(button)}")
        assert pressed.status == 303
        return _cookie(pressed)


def _cookie(reply: Reply) -> str:
    """`name=value` of the first cookie that was set."""
    return str(reply.headers["Set-Cookie"]).partition(";")[0]


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def conversation(collector: Collector, *parts: bytes) -> bytes:
    """All that comes back for these bytes; the client never hangs up first."""
    with socket.create_connection(("127.0.0.1", collector.port), timeout=wait.PATIENCE) as client:
        for part in parts:
            with contextlib.suppress(ConnectionError):
                client.sendall(part)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while data := client.recv(65536):
                answer += data
        return answer


def event(**fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Tried", "anonymousId": "a", "messageId": str(uuid.uuid4()), **fields}
