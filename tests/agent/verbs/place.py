"""A made-up machine whose verbs run in the process of the test."""

import contextlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent import cli
from agent.app import App
from agent.base.statedir import StateDir
from agent.outbox.outbox import LogEntry, read_outbox
from tests.agent.world import Terminal

NOW = 1_800_000_000.0
FLAG = "ROLLCALL_DISABLE_TELEMETRY"


@dataclass
class Place:
    """A made-up machine, verbs run in this process."""

    path: Path
    environ: dict[str, str] = field(default_factory=dict)
    now: float = NOW
    tty: bool = False

    @property
    def state(self) -> StateDir:
        return StateDir(str(self.path / "state"))

    def run(self, *argv: str) -> tuple[int, str, str]:
        given = {
            "HOME": str(self.path / "home"),
            "ROLLCALL_STATE_DIR": self.state.path,
            "ROLLCALL_WRITE_KEY": "k",
            **self.environ,
        }
        out, err = io.StringIO(), Terminal() if self.tty else io.StringIO()
        (self.path / "cwd").mkdir(exist_ok=True)
        app = App(
            environ={name: value for name, value in given.items() if value},
            cwd=str(self.path / "cwd"),
            root=str(self.path / "root"),
            now=lambda: self.now,
            out=out,
            err=err,
        )
        with contextlib.redirect_stderr(err):
            code = cli.run_verb(argv, app)
        return code, out.getvalue(), err.getvalue()

    def report(self, *argv: str) -> dict[str, Any]:
        code, out, err = self.run(*argv, "--report")
        assert out.count("\n") == 1, err
        found: dict[str, Any] = json.loads(out)
        return found | {"code": code}

    def entries(self) -> list[LogEntry]:
        with read_outbox(self.state) as outbox:
            return outbox.entries() if outbox else []

    def states(self) -> list[str]:
        return [entry.state for entry in self.entries()]
