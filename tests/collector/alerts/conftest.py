"""Files with channels, and what arrives there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.receiver import Receiver
from tests.wait import PATIENCE


def channel_url(receiver: Receiver) -> str:
    """The URL of a channel that leads there. Its answer may take longer than the four seconds of apprise."""
    return f"json://127.0.0.1:{receiver.port}/?cto={PATIENCE}&rto={PATIENCE}"


class Sink:
    """A service on loopback that takes messages."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.url = channel_url(receiver)

    @property
    def titles(self) -> list[str]:
        return [str(json.loads(request.body)["title"]) for request in self.receiver.requests]

    @property
    def texts(self) -> list[str]:
        return [str(json.loads(request.body)["message"]) for request in self.receiver.requests]


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Receiver() as receiver:
        yield Sink(receiver)


def channel_file(folder: Path, *urls: str, mode: int = 0o600) -> Path:
    """A file with these channels."""
    file = folder / "channels"
    file.write_text("\n".join(("# where alerts go", *urls)) + "\n")
    file.chmod(mode)
    return file
