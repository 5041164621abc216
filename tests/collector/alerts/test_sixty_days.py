"""Two collectors watch sixty virtual days, and each is killed once with a message in its hands."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from collector.admin import keys
from collector.base.times import DAY_MS
from collector.store import Stores
from collector.store.answers import answer_request, waiting_requests
from tests import environ
from tests.collector.alerts import planted
from tests.collector.alerts.conftest import channel_url
from tests.receiver import Receiver
from tests.wait import PATIENCE


class Watching:
    """A collector's watcher, in a process."""

    def __init__(self, home: Path, database: str, file: Path) -> None:
        command = [sys.executable, "-m", "tests.collector.alerts.watching", database, str(file)]
        self.process = subprocess.Popen(
            command,
            env=environ.covered(home),
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, **told: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)


@contextmanager
def two(home: Path, database: str, file: Path) -> Iterator[list[Watching]]:
    """Two collectors; a test may put another one in the place of one that died."""
    both = [Watching(home, database, file) for _ in range(2)]
    try:
        yield both
    finally:
        for one in both:
            one.kill()


def told_of(receiver: Receiver) -> dict[str, list[str]]:
    """Titles of the messages that arrived, by their kind."""
    found: dict[str, list[str]] = {"failure": [], "success": [], "info": []}
    for request in receiver.requests:
        body = json.loads(request.body)
        assert "https://rollcall.example/" in body["message"]
        found[body["type"]].append(body["title"])
    return found


@pytest.mark.once
def test_nine_troubles_are_told_of_nine_times_at_their_begin_and_their_end(
    stores: Stores, database: str, tmp_path: Path
) -> None:
    for name in ("product", "other"):
        keys.add_key(stores.control, name, 0)
    for day in range(-planted.HISTORY, 0):
        keep(stores, day)
    publish(stores, planted.EXPIRES)
    file = tmp_path / "channels"
    kills = {21: 0, 46: 1}  # from this day on, that collector is killed with a message that it has claimed
    with Receiver() as receiver, two(tmp_path, database, file) as both:
        file.write_text(f"# where alerts go\n{channel_url(receiver)}\n")
        file.chmod(0o600)
        for day in range(planted.DAYS):
            keep(stores, day)
            if day == planted.SIGNED_AGAIN:
                publish(stores, planted.EXPIRES + 365)
            for step in range(4):
                at = day + step / 4
                told = {"free": planted.disk_at(at), "away": planted.is_away(at), "hold": False}
                told["now"] = (planted.FIRST + day) * DAY_MS + step * planted.STEP + planted.STEP // 2
                if (who := kills.get(day)) is not None and held(both[who], told):
                    del kills[day]
                    both[who].kill()
                    both[who] = Watching(tmp_path, database, file)
                elif who is not None:
                    kills[day + (step == 3)] = kills.pop(day)
                for one in both:
                    one.tell(**told)
                assert [one.hear() for one in both] == ["done", "done"]
            if day == 4:
                answer_all(stores)
        assert not kills
        found = told_of(receiver)
        texts = " ".join(request.body.decode() for request in receiver.requests)
    assert found["failure"] == planted.TITLES
    assert sorted(found["success"]) == sorted(title.replace(": ", ": Over: ", 1) for title in planted.TITLES)
    assert found["info"] == ["Rollcall: the last 7 days"] * 9
    assert planted.EMAIL not in texts
    assert "example.org" not in texts


def held(one: Watching, told: dict[str, Any]) -> bool:
    """Whether it now stands before sending a message, if it is told to stop there."""
    one.tell(**{**told, "hold": True})
    return one.hear() == "sending"


def keep(stores: Stores, day: int) -> None:
    stores.events.keep(list(planted.events_of(day)))
    while stores.events.fold():
        pass


def answer_all(stores: Stores) -> None:
    for _, run in waiting_requests(stores.control, stores.events, planted.PRODUCT, 10):
        answer_request(stores.control, planted.PRODUCT, run, "sam", 0)


def publish(stores: Stores, expires: int) -> None:
    """As if the feed had been signed: only the time in it counts here."""
    with stores.control.transaction() as tx:
        tx.execute("DELETE FROM releases")
        tx.execute(
            "INSERT INTO releases (source, digest, sequence, feed, signature, published)"
            " VALUES (?, '', 1, ?, '', 0)",
            *(planted.OTHER, planted.feed_of(expires)),
        )
