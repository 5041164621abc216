"""An upgrade over the state of an older release: what is new is not on the wire until it was shown."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests import environ
from tests.e2e.product import environment
from tests.receiver import Receiver
from tests.wait import until

pytestmark = pytest.mark.once
OLDER = Path(__file__).parent / "testdata/older-release"
"""What a release with the first catalogue left after `wrap`, `beat`, `track` and `daemon`."""
NEW_FIELD = (
    ('Field(("timestamp",)', 'Field(("context", "region"), "a test", since=2), Field(("timestamp",)'),
    ('"ip": NO_ADDRESS} |', '"ip": NO_ADDRESS, "region": "here"} |'),
)
KINDS = {"Instance Active", "Installation Started", "Installation Errors", "Shop Opened"}


class Upgraded:
    """The state of an older release, and an installed agent that has something new for all events."""

    def __init__(self, path: Path, receiver: Receiver) -> None:
        self.receiver = receiver
        self.python = path / "venv/bin/python"
        state = path / "state"
        shutil.copytree(OLDER, state)
        with closing(sqlite3.connect(state / "outbox.db")) as outbox:
            outbox.executescript((state / "outbox.sql").read_text())
        (state / "outbox.sql").unlink()
        state.chmod(0o700)
        shutil.copytree(environment(), path / "venv", symlinks=True)
        catalogue = next((path / "venv").glob("lib/python*/site-packages/agent/events/catalogue.py"))
        text = catalogue.read_text()
        for old, new in NEW_FIELD:
            assert text.count(old) == 1
            text = text.replace(old, new)
        catalogue.write_text(text)
        self.environ = environ.bare(
            path,
            ROLLCALL_STATE_DIR=str(state),
            ROLLCALL_ENDPOINT=receiver.endpoint,
            ROLLCALL_WRITE_KEY="k",
            ROLLCALL_PRODUCT="Shop",
            ROLLCALL_ENVIRONMENT="ci",
            ROLLCALL_USAGE_TELEMETRY="true",
            ROLLCALL_INTERVAL="3s",
            ROLLCALL_FIRST_DELAY="0s",
            ROLLCALL_JITTER="0s",
        )

    def command(self, *words: str) -> list[str]:
        return [str(self.python), "-I", "-m", "agent", *words]

    def verb(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            self.command(*words), env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done
        return done.stderr

    def events(self) -> list[dict[str, Any]]:
        return [dict(event) for request in list(self.receiver.requests) for event in request.batch]

    def arrived(self, known: int) -> list[dict[str, Any]]:
        """What came after so many events, once a wrapped install, `track` and the daemon have all spoken."""
        self.verb("wrap", "--no-input", "--", "sh", "-c", "exit 3", code=3)
        self.verb("track", "Shop Opened")

        def new() -> list[dict[str, Any]]:
            return self.events()[known:]

        until(lambda: {event["event"] for event in new()} >= KINDS, why="all have spoken")
        return new()


@pytest.fixture
def upgraded(tmp_path: Path) -> Iterator[Upgraded]:
    with Receiver() as receiver:
        yield Upgraded(tmp_path, receiver)


def has_new(event: dict[str, Any]) -> set[bool]:
    """Of each field that is new and that this event may have, whether it has it."""
    context = event["context"]
    run = context.get("installation")
    return {"region" in context} | ({"environment" in run} if run else set())


def test_what_a_release_adds_is_absent_on_the_wire_until_shown_for_wrap_daemon_and_track(
    upgraded: Upgraded,
) -> None:
    upgraded.verb("flush")
    left = upgraded.events()
    assert [event["event"] for event in left[:2]] == ["Installation Started", "Installation Errors"]
    with subprocess.Popen(
        upgraded.command("daemon"), env=upgraded.environ, stderr=subprocess.DEVNULL
    ) as daemon:
        try:
            before = upgraded.arrived(len(left))
            assert [event for event in left + before if has_new(event) != {False}] == []
            assert "context.region in all events" in upgraded.verb("preview", "--new")
            shown = len(upgraded.events())
            until(lambda: any(has_new(event) == {True} for event in upgraded.events()[shown:]))
            after = upgraded.arrived(len(upgraded.events()))
            assert [event for event in after if has_new(event) != {True}] == []
        finally:
            daemon.terminate()
    assert {event["anonymousId"] for event in left + before + after} == {left[0]["anonymousId"]}
