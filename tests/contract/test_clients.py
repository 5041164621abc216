"""Segment's and RudderStack's own libraries, unmodified, in their default configuration.

Each sends ten events of which the fifth can never be taken. The other nine arrive, once.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from collector.ingest.keyring import digest
from tests import environ
from tests.collector.running import Collector
from tests.parts import find
from tests.wait import PATIENCE

CLIENTS = Path(__file__).parent / "clients"
SECONDS = PATIENCE
GOOD = [0, 1, 2, 3, 5, 6, 7, 8, 9]
# What a library calls itself in `context.library`, by the name it is installed under.
PYTHON = {"segment.analytics.client": "analytics-python", "rudderstack.analytics.client": "analytics-python"}
NODE = {
    "@segment/analytics-node": "@segment/analytics-node",
    "analytics-node": "analytics-node",
    "@rudderstack/rudder-sdk-node": "analytics-node",
    "@expo/rudder-sdk-node": "@expo/rudder-sdk-node",
}
BROWSER = {
    ("segment", ""): "analytics.js",
    ("segment", "batching"): "analytics.js",
    ("rudderstack", ""): "RudderLabs JavaScript SDK",
    ("rudderstack", "batching"): "RudderLabs JavaScript SDK",
    ("rudderstack", "beacon"): "RudderLabs JavaScript SDK",
}


def run(collector: Collector, *command: str) -> None:
    """Run a client, which prints what it took for a failure."""
    done = subprocess.run(
        command,
        env=environ.bare(collector.home),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"failures": []}


def check_landed(collector: Collector, library: str) -> None:
    """Each good event is stored once, with what was said in it, at about now."""
    stored = collector.wait_for(len(GOOD) + 1)
    tracked = [event for event in stored if event["type"] == "track"]
    assert sorted(event["properties"]["number"] for event in tracked) == GOOD
    assert {event["event"] for event in tracked} == {"Tried it"}
    (identified,) = [event for event in stored if event["type"] == "identify"]
    assert identified["userId"] == "user-1"
    assert "free" in (identified.get("traits") or identified["context"]["traits"]).values()
    for event in stored:
        at = datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00"))
        assert abs(datetime.now(timezone.utc) - at) < timedelta(minutes=5)
        assert event["context"]["library"]["name"] == library
        assert "writeKey" not in event
    assert collector.key not in collector.stop()


@pytest.mark.parametrize("client", PYTHON)
@pytest.mark.parametrize("options", [(), ("gzip",)])
def test_python_libraries_land(collector: Collector, client: str, options: tuple[str, ...]) -> None:
    endpoint = f"http://127.0.0.1:{collector.port}"
    run(collector, sys.executable, str(CLIENTS / "send.py"), client, endpoint, collector.key, *options)
    check_landed(collector, PYTHON[client])


def test_the_python_library_of_1_4_lands(collector: Collector, old_python_library: Path) -> None:
    endpoint = f"http://127.0.0.1:{collector.port}"
    client = "analytics.client"
    run(collector, str(old_python_library), str(CLIENTS / "send.py"), client, endpoint, collector.key)
    check_landed(collector, "analytics-python")


@pytest.mark.needs("python3.11")
def test_a_product_of_somebody_else_lands(collector: Collector, product: Path) -> None:
    """Its vendor moved here and kept the key that is in every copy."""
    endpoint = f"http://127.0.0.1:{collector.port}"
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}  # it asks others for its address
    with subprocess.Popen(
        [str(product), str(CLIENTS / "product.py"), endpoint],
        env=environ.bare(collector.home, **nowhere),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        hashed = digest(process.stdout.readline().strip())
        with closing(sqlite3.connect(collector.database.removeprefix("sqlite:///"))) as database, database:
            database.execute(
                "UPDATE write_keys SET hash = ? WHERE id = (SELECT max(id) FROM write_keys)", [hashed]
            )
        process.communicate("go on\n", timeout=SECONDS)
    assert process.returncode == 0
    stored = collector.wait_for(2)
    assert [event["event"] for event in stored] == ["Connector Initialized", "Operation Executed"]
    assert [event["properties"]["connector_name"] for event in stored] == ["github"] * 2


@pytest.mark.needs("node")
@pytest.mark.parametrize("client", NODE)
def test_node_libraries_land(collector: Collector, javascript: Path, client: str) -> None:
    endpoint = f"http://127.0.0.1:{collector.port}"
    run(collector, "node", str(CLIENTS / "send.mjs"), str(javascript), client, endpoint, collector.key)
    check_landed(collector, NODE[client])


@pytest.mark.needs("curl")
def test_curl_lands(collector: Collector) -> None:
    deep: dict[str, Any] = {}
    for _ in range(120):
        deep = {"deeper": deep}
    context = {"library": {"name": "curl"}}
    events: list[dict[str, Any]] = [
        {"type": "track", "event": "Tried it", "userId": "user-1", "properties": {"number": n}}
        for n in range(10)
    ]
    events[4]["properties"].update(deep)
    events.append({"type": "identify", "userId": "user-1", "traits": {"plan": "free"}})
    url = f"http://127.0.0.1:{collector.port}/v1/batch"
    command = ["curl", "--silent", "--user", f"{collector.key}:", "--data-binary", "@-"]
    done = subprocess.run(
        [*command, "--header", "Content-Type: application/json", url],
        input=json.dumps({"batch": events, "context": context}),
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    assert [one["index"] for one in json.loads(done.stdout)["rejected"]] == [4]
    check_landed(collector, "curl")


class Vendor(SimpleHTTPRequestHandler):
    """A vendor's web site: pages, and the libraries that they load."""

    def __init__(self, *args: Any, libraries: Path, **kwargs: Any) -> None:
        self.libraries = libraries
        super().__init__(*args, **kwargs)

    def translate_path(self, path: str) -> str:
        name = path.partition("?")[0].removeprefix("/")
        return str(self.libraries / name if name.startswith("node_modules/") else CLIENTS / f"{name}.html")

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def vendor(libraries: Path) -> Iterator[str]:
    handler = partial(Vendor, libraries=libraries)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
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
        try:
            yield
        finally:
            process.terminate()


@pytest.mark.needs("node", "chromium")
@pytest.mark.parametrize(("library", "how"), BROWSER)
def test_browser_libraries_land(collector: Collector, javascript: Path, library: str, how: str) -> None:
    endpoint = f"http://127.0.0.1:{collector.port}"
    with vendor(javascript) as site:
        query = urlencode({"key": collector.key, "collector": endpoint, "how": how})
        with browser(collector.home, f"{site}/{library}?{query}"):
            check_landed(collector, BROWSER[library, how])
