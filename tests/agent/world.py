"""A made-up machine below a temporary directory, and the command line run on it."""

from __future__ import annotations

import contextlib
import io
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from agent import cli
from agent.app import App
from agent.base.statedir import StateDir
from agent.config.situation import Situation, read_situation
from tests import environ
from tests.verbs import run_verb

NOW = 1_800_000_000.0
FLAG = "ROLLCALL_DISABLE_TELEMETRY"


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


@dataclass
class Done:
    """What a verb came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.out)
        return found


@dataclass
class World:
    """Root, home, working directory and environment; nothing of the real machine's."""

    path: Path
    environ: dict[str, str] = field(default_factory=dict)
    uid: int = field(default_factory=os.geteuid)
    now: float = NOW
    tty: bool = False

    def __post_init__(self) -> None:
        for name in ("home", "cwd", "root/etc"):
            (self.path / name).mkdir(parents=True)
        self.environ = {"HOME": str(self.path / "home"), **self.environ}

    @property
    def cwd(self) -> Path:
        return self.path / "cwd"

    @property
    def root(self) -> Path:
        return self.path / "root"

    @property
    def state(self) -> StateDir:
        return self.situation.state

    @property
    def situation(self) -> Situation:
        return read_situation(self.environ, cwd=str(self.cwd), uid=self.uid, root=str(self.root))

    def env_file(self, text: str | bytes) -> Path:
        """Make ./docker.env, owner-only, with that text."""
        path = self.cwd / "docker.env"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o600)
        return path

    def app(self) -> App:
        out = Terminal() if self.tty else io.StringIO()
        return App(
            environ=self.environ,
            cwd=str(self.cwd),
            uid=self.uid,
            root=str(self.root),
            now=lambda: self.now,
            out=out,
            err=Terminal() if self.tty else io.StringIO(),
        )

    def run(self, *argv: str) -> Done:
        """Run a verb in this process."""
        app, out, err = self.app(), io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = cli.run_verb(argv, app)
            except SystemExit as end:
                code = int(end.code or 0)
        assert isinstance(app.out, io.StringIO)
        assert isinstance(app.err, io.StringIO)
        return Done(code, app.out.getvalue() + out.getvalue(), app.err.getvalue() + err.getvalue())

    def real_environ(self, **more: str) -> dict[str, str]:
        """For a process, whose root is the real one: the machine's own state must not be touched."""
        places = {"ROLLCALL_STATE_DIR": str(self.path / "state")}
        return environ.covered(self.path / "home", **{**places, **self.environ, **more})

    def process(self, *argv: str, **more: str) -> Done:
        """Run a verb in a process of its own, which sees the real root."""
        done = run_verb(*argv, env=self.real_environ(**more), cwd=self.cwd)
        return Done(done.returncode, done.stdout, done.stderr)


def tree(path: Path) -> list[str]:
    """Everything below a directory."""
    return sorted(str(found.relative_to(path)) for found in path.rglob("*"))
