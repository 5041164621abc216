"""The daily question for the release feed, by real daemons and counted in system calls."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.updates.fetch import entity_tag
from agent.updates.phase import DAY, Phase, read_phase, write_phase
from tests.agent.updates.signing import Vendor, feed
from tests.e2e.test_silence import Site
from tests.instance import Instance
from tests.wait import until

VENDOR = Vendor()
PAGE = Path(__file__).parents[2] / "docs/updates.md"
QUESTION = ["flush", "--report", "--budget", "0", "--feed"]


@dataclass
class Listener:
    """Answers 304 to all, and keeps every byte that came."""

    socket: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    requests: list[bytes] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.socket.getsockname()[1]}"

    def serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                peer, _ = self.socket.accept()
                with peer:
                    asked = b""
                    while not asked.endswith(b"\r\n\r\n") and (more := peer.recv(65536)):
                        asked += more
                    peer.sendall(b"HTTP/1.1 304 Not Modified\r\n\r\n")
                    while more := peer.recv(65536):
                        asked += more
                self.requests.append(asked)


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    threading.Thread(target=made.serve, daemon=True).start()
    yield made
    made.socket.shutdown(socket.SHUT_RDWR)
    made.socket.close()


def instance(path: Path, listener: Listener, **settings: str) -> Instance:
    """One that has the feed and a key, without an endpoint, and beats each second."""
    shop = {
        "ROLLCALL_PRODUCT": "Shop",
        "ROLLCALL_UPDATES_KEY": VENDOR.public,
        "ROLLCALL_UPDATES_URL": f"http://{listener.host}/feed.json",
        "ROLLCALL_INTERVAL": "1s",
        "ROLLCALL_FIRST_DELAY": "0s",
        "ROLLCALL_JITTER": "0s",
    }
    made = Instance(path, environ={**shop, **settings})
    made.run("beat")
    assert made.run("updates", "import", str(VENDOR.publish(path, feed()))).code in (0, 4)
    return made


class Nudge:
    """Moves an instance's time of day to a moment from now, until its daemon has noted that it asks."""

    def __init__(self, one: Instance, daemon: subprocess.Popen[str]) -> None:
        self._path, self._daemon = one.state.feed_due, daemon
        self._planted, self._lead, self._due = read_phase(self._path), 1.0, 0.0

    def __call__(self) -> bool:
        now = time.time()
        if self._due + 5 < now and read_phase(self._path) == self._planted:
            self._lead *= 2
            self._due = now + self._lead
            self._planted = Phase(self._due % DAY, now)
            write_phase(self._path, self._planted)
            self._daemon.send_signal(signal.SIGHUP)
        return False


def watch_it_ask(one: Instance, listener: Listener, number: int) -> None:
    """Run its daemon until it has asked, as the so-manieth, and for a few heartbeats more."""
    beats = len(one.entries())
    with one.started("daemon") as daemon:
        until(lambda: len(one.entries()) > beats, why="it beats")
        nudge = Nudge(one, daemon)
        until(lambda: len(listener.requests) == number or nudge(), why="it asks")
        beats = len(one.entries())
        until(lambda: len(one.entries()) > beats + 3, why="it goes on")
        assert len(listener.requests) == number


@pytest.mark.once
def test_each_daemon_asks_with_one_request_and_with_the_same_bytes(
    tmp_path: Path, listener: Listener
) -> None:
    old = instance(tmp_path / "old", listener, ROLLCALL_PRODUCT_VERSION="1.0", ROLLCALL_ENVIRONMENT="ci")
    old.record(50, start=time.time() - 30 * DAY)
    new = instance(tmp_path / "new", listener, ROLLCALL_PRODUCT_VERSION="2.4.1")
    assert Path(old.state.id).read_text() != Path(new.state.id).read_text()
    for number, one in enumerate((old, new), 1):
        watch_it_ask(one, listener, number)
    first, second = listener.requests
    assert first == second
    shown = re.search(r"```http\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert shown is not None
    documented = shown[1].replace("Host: example.com", f"Host: {listener.host}").replace("\n", "\r\n")
    documented = re.sub(r"(?<=If-None-Match: ).*?(?=\r)", entity_tag(feed()), documented)
    assert first.decode() == documented + "\r\n"


@pytest.mark.once
@pytest.mark.needs("strace")
def test_where_it_may_not_be_asked_no_socket_is_opened(open_folder: Path, listener: Listener) -> None:
    site = Site(open_folder / "site")
    loud = {
        "ROLLCALL_ENDPOINT": "",
        "ROLLCALL_UPDATES_KEY": VENDOR.public,
        "ROLLCALL_UPDATES_URL": f"http://{listener.host}/feed.json",
    }
    site.traced(["beat"], **loud)
    for quiet in (
        {"DO_NOT_TRACK": "1"},
        {"ROLLCALL_UPDATES": "false"},
        {"ROLLCALL_UPDATES_URL": ""},
        {"ROLLCALL_UPDATES_KEY": ""},
    ):
        trace = site.traced(QUESTION, **{**loud, **quiet})
        assert (trace.code, trace.network) == (0, []), quiet
        assert not (site.state / "feed-due.json").exists()
    trace = site.traced(QUESTION, **loud)
    connects = [line for line in trace.network if re.search(r"connect\(.*AF_INET", line)]
    assert len(connects) == 1, trace
    assert listener.host.rpartition(":")[2] in connects[0]
    until(lambda: len(listener.requests) == 1, why="the listener has seen its end")
    assert (site.state / "feed-due.json").exists()
