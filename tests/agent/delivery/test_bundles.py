"""Sealed bundles leave in parts, wait like events, and are gone where they must be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from agent.base.statedir import StateDir
from agent.config.access import Access
from agent.delivery.bundles import PART, BundleSender, deliver_bundles
from agent.delivery.drain import CHANGED
from agent.events import catalogue
from agent.events.facts import System
from agent.outbox.bundles import (
    MOST_WAITING,
    TooManyWait,
    build_bundle_line,
    bundles_address,
    record_bundle,
    sweep_bundles,
    waiting_bundles,
)
from agent.outbox.outbox import Outbox
from tests.agent.world import FLAG, World
from tests.receiver import Peer, Receiver, Request, abort, answer

NOW = 1_800_000_000.0
RUN = "3f2b8c1d-0000-4000-8000-000000000000"
ORIGIN = catalogue.Origin("11111111-2222-4333-8444-555555555555", "shop", "1", System("debian", "12"), 1)
SEALED = b"".join(b"%08d" % number for number in range(PART // 4))  # no two parts are alike


class Shelf:
    """A collector's answers: it takes the parts of one bundle."""

    def __init__(self, *, breaks: int = 0) -> None:
        self.data, self.breaks = b"", breaks
        self.told: dict[str, list[str]] = {}

    def __call__(self, peer: Peer, request: Request) -> bool:
        self.told = parse_qs(urlsplit(request.line.split()[1]).query)
        if request.body and self.breaks and len(self.data) >= PART:
            self.breaks -= 1
            abort(peer.socket)
            return False
        fits = int(self.told["offset"][0]) == len(self.data)
        self.data += request.body if fits else b""
        size = int(self.told["size"][0])
        said = {"success": True, "received": len(self.data), "complete": len(self.data) == size}
        return answer(200 if fits or said["complete"] else 409, body=json.dumps(said).encode())(peer, request)


class Waiting:
    """An outbox in which bundles wait."""

    def __init__(self, path: Path) -> None:
        self.state = StateDir(str(path / "state"))
        self.state.make()
        self.outbox = Outbox(self.state, now=lambda: NOW)

    def put(self, endpoint: str, data: bytes = SEALED) -> None:
        digest = hashlib.sha256(data).hexdigest()
        line = build_bundle_line(ORIGIN, size=len(data), digest=digest, timestamp=NOW, installation=RUN)
        record_bundle(self.state, self.outbox, line, data, digest, endpoint)

    def deliver(
        self, endpoint: str, *, eager: bool = False, allowed: Callable[[], bool] = lambda: True
    ) -> str | None:
        sender = BundleSender(endpoint, Access("key"), budget=60, still_allowed=allowed, now=lambda: NOW)
        why, _ = deliver_bundles(self.state, self.outbox, endpoint, sender, now=lambda: NOW, eager=eager)
        return why

    @property
    def states(self) -> list[str]:
        return [entry.state for entry in self.outbox.entries()]


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    made = Waiting(tmp_path)
    with closing(made.outbox):
        yield made


def test_a_bundle_arrives_whole_and_its_file_goes(waiting: Waiting) -> None:
    shelf = Shelf()
    with Receiver(then=shelf) as receiver:
        waiting.put(receiver.endpoint)
        assert len(waiting.state.bundle_files()) == 1
        assert waiting.deliver(receiver.endpoint) is None
        keys = {request.key for request in receiver.requests}
        largest = max(len(request.body) for request in receiver.requests)
        headers = receiver.requests[-1].headers
        addresses = "".join(request.line for request in receiver.requests)
    assert (shelf.data, waiting.states, waiting.state.bundle_files()) == (SEALED, ["sent"], [])
    assert (headers["rollcall-instance"], headers["rollcall-run"]) == (ORIGIN.instance, RUN)
    assert ("size=" in addresses, ORIGIN.instance in addresses, RUN in addresses) == (True, False, False)
    assert (keys, largest) == ({"key"}, PART)


@pytest.mark.parametrize("torn", ["'{torn'", "CAST(x'7bff' AS TEXT)", "'{}'", "'[]'"])
def test_a_line_that_was_torn_on_disk_keeps_nothing_else_back(waiting: Waiting, torn: str) -> None:
    shelf = Shelf()
    with Receiver(then=shelf) as receiver:
        for data in (SEALED[:-1], SEALED):
            waiting.put(receiver.endpoint, data)
        waiting.outbox._database._db.execute(f"UPDATE event SET payload = {torn} WHERE seq = 1")
        assert waiting.deliver(receiver.endpoint) is None
    assert (shelf.data, waiting.states, waiting.state.bundle_files()) == (SEALED, ["dropped", "sent"], [])
    assert waiting.outbox.dropped() == 1


def test_after_a_broken_connection_only_the_rest_is_sent(waiting: Waiting) -> None:
    shelf = Shelf(breaks=1)
    with Receiver(then=shelf) as receiver:
        waiting.put(receiver.endpoint)
        assert waiting.deliver(receiver.endpoint) is not None
        assert waiting.states == ["waiting"]
        before = len(receiver.requests)
        assert waiting.deliver(receiver.endpoint) is not None, "not before its time"
        assert len(receiver.requests) == before
        assert waiting.deliver(receiver.endpoint, eager=True) is None
        again = receiver.requests[before:]
    assert (shelf.data, waiting.states) == (SEALED, ["sent"])
    assert [len(request.body) for request in again] == [0, PART]
    assert waiting.outbox.trouble(bundles_address(receiver.endpoint)) is None


@pytest.mark.parametrize(
    ("status", "body", "state", "words"),
    [
        (404, b"", "waiting", "404 Not Found"),
        (200, b"{}", "waiting", "takes no support bundles"),
        (200, b'{"received": 7}', "waiting", "does not store the bundle's parts"),
        pytest.param(200, b"[" * 60_000, "waiting", "takes no support bundles", id="nested"),
        (503, b"", "waiting", "503"),
        (400, b"", "rejected", None),
    ],
)
def test_an_endpoint_that_does_not_take_it(
    waiting: Waiting, status: int, body: bytes, state: str, words: str | None
) -> None:
    with Receiver(then=answer(status, body=body)) as receiver:
        waiting.put(receiver.endpoint)
        why = waiting.deliver(receiver.endpoint)
    assert waiting.states == [state]
    assert words in why if words and why else why is words
    assert len(waiting.state.bundle_files()) == (state == "waiting")
    assert waiting.outbox.trouble(receiver.endpoint) is None, "events do not wait for it"


def test_once_telemetry_is_off_nothing_more_is_sent(waiting: Waiting) -> None:
    with Receiver() as receiver:
        waiting.put(receiver.endpoint)
        assert waiting.deliver(receiver.endpoint, allowed=lambda: False) == CHANGED
        assert receiver.connections == 0
    assert waiting.states == ["waiting"]


def test_what_has_no_file_is_dropped_and_what_has_no_line_is_deleted(waiting: Waiting) -> None:
    with Receiver() as receiver:
        waiting.put(receiver.endpoint)
        (path,) = map(Path, waiting.state.bundle_files())
        path.with_name("stray.jwe").write_text("x")
        sweep_bundles(waiting.state, waiting.outbox)
        assert waiting.state.bundle_files() == [str(path)]
        path.write_bytes(b"short")
        assert waiting.deliver(receiver.endpoint) is None
        assert receiver.connections == 0
    assert (waiting.states, waiting.state.bundle_files()) == (["dropped"], [])
    assert waiting.outbox.dropped() == 1


def test_a_file_that_cannot_be_read_now_waits(waiting: Waiting) -> None:
    with Receiver(then=Shelf()) as receiver:
        waiting.put(receiver.endpoint)
        (path,) = map(Path, waiting.state.bundle_files())
        aside = path.rename(path.with_name("aside"))
        path.symlink_to(path.name)  # it leads to itself
        why = waiting.deliver(receiver.endpoint)
        assert "cannot be read: Too many levels" in str(why)
        assert (waiting.states, receiver.connections) == (["waiting"], 0)
        aside.rename(path)
        assert waiting.deliver(receiver.endpoint, eager=True) is None
    assert waiting.states == ["sent"]


def test_only_a_few_wait_and_no_batch_or_export_has_one(waiting: Waiting) -> None:
    for number in range(MOST_WAITING):
        waiting.put("https://a.example", b"%d" % number)
    with pytest.raises(TooManyWait):
        waiting.put("https://a.example", b"more")
    assert waiting.outbox.waiting("https://a.example", limit=9) == []
    assert waiting.outbox.waiting_anywhere(after=0, limit=9) == []
    assert waiting.outbox.count_for("https://a.example") == 0
    assert len(waiting_bundles(waiting.outbox, "https://a.example")) == MOST_WAITING
    assert waiting_bundles(waiting.outbox, "https://other.example") == []
    waiting.outbox.erase(usage=True)
    assert waiting.states == ["waiting"] * MOST_WAITING, "no usage event"


def test_what_a_killed_sender_left_is_deleted_by_the_next(world: World) -> None:
    waiting = Waiting(world.path)
    world.environ["ROLLCALL_STATE_DIR"] = waiting.state.path
    waiting.put("https://a.example")
    (path,) = map(Path, waiting.state.bundle_files())
    path.with_name("stray.jwe").write_text("x")
    waiting.outbox.close()
    with Receiver() as receiver:
        world.environ |= {"ROLLCALL_ENDPOINT": receiver.endpoint, "ROLLCALL_WRITE_KEY": "key"}
        assert world.run("beat").code == 0
    assert waiting.state.bundle_files() == [str(path)], "that of another endpoint waits on"


@pytest.mark.parametrize("verb", ["flush", "forget"])
def test_silence_and_forget_erase_it(world: World, verb: str) -> None:
    waiting = Waiting(world.path)
    world.environ["ROLLCALL_STATE_DIR"] = waiting.state.path
    waiting.put("https://a.example")
    waiting.outbox.close()
    assert len(waiting.state.bundle_files()) == 1
    if verb == "flush":
        world.environ[FLAG] = "1"
    assert world.run(verb).code == 0
    assert waiting.state.bundle_files() == []
    kept = [json.loads(line)["state"] for line in world.run("log", "--json").out.splitlines()]
    assert kept == (["deleted"] if verb == "flush" else [])


def test_no_usage_event_has_its_name() -> None:
    with pytest.raises(catalogue.NotInCatalogue):
        catalogue.build_usage("support  bundle", {}, ORIGIN, timestamp=NOW)
