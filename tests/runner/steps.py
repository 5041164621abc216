"""Steps: named commands, a line each with its time; a step that fails spares the others."""

import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Progress:
    """Runs steps in a checkout and remembers which of them failed."""

    root: Path
    failed: list[str] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step that is not a command; what it raises passes through."""
        started = time.monotonic()
        ok = False
        try:
            yield
            ok = True
        finally:
            self._ended(name, started, ok=ok)

    def quietly(self, name: str, command: Sequence[str]) -> None:
        """Run a command whose output matters only if it fails."""
        started = time.monotonic()
        done = subprocess.run(
            command,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self._ended(name, started, ok=done.returncode == 0)
        if done.returncode != 0:
            print(f"$ {shlex.join(command)}\n{done.stdout}", flush=True)

    def openly(self, name: str, command: Sequence[str], *, fine: Sequence[int] = (0,)) -> None:
        """Run a command that shows its own progress."""
        print(f"------ {name}", flush=True)
        started = time.monotonic()
        done = subprocess.run(command, cwd=self.root, stdin=subprocess.DEVNULL, check=False)
        self._ended(name, started, ok=done.returncode in fine)

    def _ended(self, name: str, started: float, *, ok: bool) -> None:
        if not ok:
            self.failed.append(name)
        mark = "ok" if ok else "FAILED"
        print(f"{mark:<6} {name:<32} {time.monotonic() - started:6.1f} s", flush=True)
