"""The daemon, an edited docker.env and a receiver: what is on the wire of an upgrade of the product."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.events import catalogue
from tests.instance import Instance
from tests.receiver import Receiver
from tests.wait import until

pytestmark = pytest.mark.once
PACE = {"ROLLCALL_INTERVAL": "1s", "ROLLCALL_FIRST_DELAY": "0s", "ROLLCALL_JITTER": "0s"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


def events(receiver: Receiver, name: str) -> list[dict[str, object]]:
    return [event for request in list(receiver.requests) for event in request.batch if event["event"] == name]


def ship(instance: Instance, version: str, usage: str) -> None:
    """Replace docker.env, as an upgrade of the product does."""
    new = instance.env_file.with_suffix(".new")
    new.write_text(f"ROLLCALL_PRODUCT_VERSION={version}\nROLLCALL_USAGE_TELEMETRY={usage}\n")
    new.chmod(0o600)
    os.replace(new, instance.env_file)


def beats(receiver: Receiver) -> None:
    """Wait for two more heartbeats: the second read its settings after this was called."""
    known = len(events(receiver, catalogue.ACTIVE))
    until(lambda: len(events(receiver, catalogue.ACTIVE)) >= known + 2, why="the daemon beats on")


def test_the_daemon_tells_an_upgrade_once_and_only_after_a_yes(tmp_path: Path, receiver: Receiver) -> None:
    instance = Instance(tmp_path, receiver.endpoint, PACE)
    ship(instance, "1.0", "ask")
    with instance.started("daemon"):
        beats(receiver)
        ship(instance, "1.1", "ask")
        beats(receiver)
        ship(instance, "1.1", "true")
        beats(receiver)
        assert events(receiver, catalogue.UPGRADED) == []
        ship(instance, "1.2", "true")
        beats(receiver)
    with instance.started("daemon"):
        beats(receiver)
    (upgrade,) = events(receiver, catalogue.UPGRADED)
    assert upgrade["properties"] == {"from": "1.1", "to": "1.2"}
    assert isinstance(upgrade["context"], dict)
    assert set(upgrade["context"]) == {"library", "ip", "app", "os"}
    assert {entry.state for entry in instance.entries() if entry.name == catalogue.UPGRADED} == {"sent"}
