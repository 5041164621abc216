"""Segment's and RudderStack's own libraries, unmodified, in their default configuration."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests import environ
from tests.collector.running import Collector
from tests.parts import find

CLIENTS = Path(__file__).parent / "clients"
SECONDS = 60


def sent_by(home: Path, *command: str) -> list[str]:
    """The message ids that a client says it sent."""
    done = subprocess.run(
        command, env=environ.bare(home), capture_output=True, text=True, check=True, timeout=SECONDS
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["failures"] == []
    ids: list[str] = told["ids"]
    return ids


def landed(collector: Collector, ids: list[str]) -> list[dict[str, Any]]:
    """What is stored: each event that was sent, once, at about now."""
    stored = collector.wait_for(len(ids))
    assert sorted(event["messageId"] for event in stored) == sorted(ids)
    for event in stored:
        at = datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00"))
        assert abs(datetime.now(timezone.utc) - at) < timedelta(minutes=1)
        assert "writeKey" not in event
    return stored


def count(stored: list[dict[str, Any]], kind: str) -> int:
    return sum(event["type"] == kind for event in stored)


@pytest.mark.parametrize("client", ["segment_python.py", "rudder_python.py"])
@pytest.mark.parametrize("options", [(), ("gzip",)])
def test_python_libraries_land(collector: Collector, client: str, options: tuple[str, ...]) -> None:
    endpoint = f"http://127.0.0.1:{collector.port}"
    program = [sys.executable, str(CLIENTS / client), endpoint, collector.key, *options]
    stored = landed(collector, sent_by(collector.home, *program))
    assert (count(stored, "track"), count(stored, "identify")) == (5, 1)


@pytest.mark.needs("node")
@pytest.mark.parametrize("size", ["", "1", "4"])
def test_the_node_library_lands(collector: Collector, javascript: Path, size: str) -> None:
    endpoint = f"http://127.0.0.1:{collector.port}"
    program = ["node", str(CLIENTS / "segment_node.mjs"), str(javascript), endpoint, collector.key, size]
    stored = landed(collector, sent_by(collector.home, *program))
    assert (count(stored, "track"), count(stored, "identify"), count(stored, "alias")) == (5, 1, 1)


class Vendor(SimpleHTTPRequestHandler):
    """A vendor's web site: the page, the library, and what the page says when it is done."""

    told: dict[str, Any]
    done: threading.Event

    def __init__(self, *args: Any, umd: Path, **kwargs: Any) -> None:
        self.umd = umd
        super().__init__(*args, **kwargs)

    def translate_path(self, path: str) -> str:
        name = path.partition("?")[0].removeprefix("/umd/")
        return str(self.umd / name) if path.startswith("/umd/") else str(CLIENTS / "page.html")

    def do_POST(self) -> None:
        self.told.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()
        self.done.set()

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def vendor(umd: Path) -> Iterator[tuple[str, threading.Event, dict[str, Any]]]:
    handler = type("Handler", (Vendor,), {"told": {}, "done": threading.Event()})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, umd=umd)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", handler.done, handler.told  # type: ignore[attr-defined]
        server.shutdown()


@contextmanager
def browser(home: Path, url: str) -> Iterator[None]:
    program = find("chromium", "chromium-browser") or "chromium"
    quiet = [
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", *quiet]
    command += ["--remote-debugging-port=0", f"--user-data-dir={home}/chromium", url]
    with subprocess.Popen(
        command, env=environ.bare(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        yield
        process.terminate()


@pytest.mark.needs("node", "chromium")
@pytest.mark.parametrize("options", [{}, {"batching": "1"}])
def test_the_browser_library_lands(collector: Collector, javascript: Path, options: dict[str, str]) -> None:
    endpoint = f"http://127.0.0.1:{collector.port}"
    umd = javascript / "node_modules/@segment/analytics-next/dist/umd"
    with vendor(umd) as (site, done, told):
        query = urlencode({"key": collector.key, "collector": endpoint, **options})
        with browser(collector.home, f"{site}?{query}"):
            assert done.wait(SECONDS)
    assert told["failures"] == []
    stored = landed(collector, told["ids"])
    assert (count(stored, "track"), count(stored, "identify"), count(stored, "page")) == (2, 1, 1)
