"""An instance of the agent in a temporary directory, its verbs run as processes of their own."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.base.statedir import StateDir
from agent.events import catalogue
from agent.events.facts import System
from agent.events.shown import NEWEST
from agent.outbox.outbox import LogEntry, Outbox, Trouble, read_outbox
from tests import environ
from tests.verbs import AGENT
from tests.wait import PATIENCE

KEY = "the-write-key-7f3a"
ID = "11111111-2222-4333-8444-555555555555"


@dataclass
class Ended:
    """A verb that ended: its code, what it printed, and how long it took."""

    code: int
    out: str
    err: str
    seconds: float


@dataclass
class Instance:
    """State, docker.env and environment of one instance."""

    path: Path
    endpoint: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    printed: str = ""
    """All that was ever printed, for whoever looks for what must not be there."""

    def __post_init__(self) -> None:
        for name in ("home", "cwd"):
            (self.path / name).mkdir(parents=True, exist_ok=True)

    @property
    def state(self) -> StateDir:
        return StateDir(str(self.path / "state"))

    @property
    def env_file(self) -> Path:
        return self.path / "cwd" / "docker.env"

    def surroundings(self) -> dict[str, str]:
        settings = {
            "ROLLCALL_STATE_DIR": self.state.path,
            "ROLLCALL_ENDPOINT": self.endpoint,
            "ROLLCALL_WRITE_KEY": KEY,
        }
        return environ.covered(self.path / "home", **{**settings, **self.environ})

    def record(self, count: int, *, first: int = 0, start: float | None = None) -> list[str]:
        """Record so many events; their messageIds."""
        made = [event(first + number, start) for number in range(count)]
        with contextlib.closing(Outbox(self.state)) as outbox:
            outbox._database._db.execute("PRAGMA synchronous = OFF")  # a test's disk need not last
            for one in made:
                outbox.record(one, self.endpoint)
        return [str(one["messageId"]) for one in made]

    def command(self, *argv: str) -> list[str]:
        return [*AGENT, *argv]

    @contextlib.contextmanager
    def started(self, *argv: str, prefix: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
        """A verb under way; what still runs at the end is ended."""
        child = subprocess.Popen(
            [*prefix, *self.command(*argv)],
            cwd=self.path / "cwd",
            env=self.surroundings(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield child
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
            out, err = child.communicate()
            self.printed += (out or "") + (err or "")

    def run(self, *argv: str, prefix: tuple[str, ...] = ()) -> Ended:
        """Run a verb to its end."""
        began = time.monotonic()
        with self.started(*argv, prefix=prefix) as child:
            out, err = child.communicate(timeout=PATIENCE)
            self.printed += out + err
        return Ended(child.returncode, out, err, time.monotonic() - began)

    def entries(self) -> list[LogEntry]:
        with read_outbox(self.state) as outbox:
            return outbox.entries() if outbox else []

    def states(self) -> dict[str, str]:
        """What became of each messageId."""
        return {entry.message_id: entry.state for entry in self.entries()}

    def waiting(self) -> list[str]:
        return [one for one, state in self.states().items() if state == "waiting"]

    def trouble(self) -> Trouble | None:
        with read_outbox(self.state) as outbox:
            return outbox.trouble(self.endpoint) if outbox else None

    def next_try(self) -> float:
        """In how many seconds it may be tried again."""
        trouble = self.trouble()
        assert trouble is not None
        return trouble.next_try - time.time()

    def forgive(self) -> None:
        """Make the next try due now, as time would."""
        with contextlib.closing(Outbox(self.state)) as outbox:
            if (trouble := outbox.trouble(self.endpoint)) is not None:
                outbox.note_success(self.endpoint)
                outbox.note_failure(self.endpoint, trouble.error, time.time())

    def status(self) -> Mapping[str, object]:
        found: dict[str, object] = json.loads(self.run("status", "--json").out)
        return found


def event(number: int, start: float | None = None) -> dict[str, object]:
    """One event like any other, told from the rest by its properties."""
    at = (time.time() if start is None else start) + number
    origin = catalogue.Origin(ID, "acme", "1.0", System("debian", "12"), NEWEST)
    return catalogue.build_usage("Something Used", {"number": number}, origin, timestamp=at)


def watched(path: Path) -> Iterator[Instance]:
    """For a fixture: an instance that must never print its key or an event."""
    one = Instance(path)
    yield one
    for secret in (KEY, "Something Used", "properties"):
        assert secret not in one.printed
