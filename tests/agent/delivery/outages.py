"""An endpoint that can be down, and lives whose children are the real verbs."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent import cli
from agent.app import App
from agent.heartbeat.answer import ChildAnswer, parse_answer
from tests.agent.heartbeat.lives import Life
from tests.receiver import Peer, Receiver, Request, answer


class Outages:
    """What an endpoint takes, and when it was tried; it turns all away while it is `down`."""

    def __init__(self) -> None:
        self.down = False
        self.turned_away = 0
        self.tries: list[float] = []
        """When each request came, by `clock`."""
        self.clock: Callable[[], float] = time.monotonic
        self.messages: list[str] = []
        self.url = ""

    def answer(self, peer: Peer, request: Request) -> bool:
        self.tries.append(self.clock())
        if self.down:
            self.turned_away += 1
        else:
            self.messages += request.ids
        return answer(503 if self.down else 200)(peer, request)


@contextlib.contextmanager
def running() -> Iterator[Outages]:
    """An endpoint that is up, until a test says that it is down."""
    outages = Outages()
    with Receiver(then=outages.answer) as receiver:
        outages.url = receiver.endpoint
        yield outages


def environment(home: Path, receiver: Outages) -> dict[str, str]:
    return {
        "HOME": str(home),
        "ROLLCALL_STATE_DIR": str(home / "state"),
        "ROLLCALL_ENDPOINT": receiver.url,
        "ROLLCALL_WRITE_KEY": "key",
    }


@dataclass
class RealChildren(Life):
    """A life whose children are the real verbs, called in this process."""

    environ: dict[str, str] = field(default_factory=dict)
    said: str = ""

    def ask_child(self, *verb: str) -> ChildAnswer | None:
        out, err = io.StringIO(), io.StringIO()
        app = App(
            environ=self.environ, cwd="/", root="/nowhere", now=lambda: self.clocks().wall, out=out, err=err
        )
        with contextlib.redirect_stderr(err):
            cli.run_verb(verb, app)
        self.said += err.getvalue()
        said = parse_answer(out.getvalue().encode())
        assert said is not None
        if said.recorded:
            self.beats.append(self.up)
        return said
