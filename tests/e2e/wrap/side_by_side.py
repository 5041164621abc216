"""One command, bare and wrapped, each in a fresh folder: what came out, how it ended, what it left."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import environ
from tests.verbs import AGENT, run_verb
from tests.wait import PATIENCE

NOTICE = b"rollcall: this software reports this installation's outcome;"
WRAP = (*AGENT, "wrap", "--no-input")


def wrap_after(code: str) -> tuple[str, ...]:
    """WRAP, once these lines of Python have run: they may give it more time than it takes on its own."""
    text = f"import sys\n{code}\nfrom agent.wrapper import boot\nboot.main(sys.argv[1:])"
    return (*AGENT[:2], "-c", text, "--no-input")


@dataclass(frozen=True)
class Ending:
    """All that a caller can see of a command."""

    code: int
    out: bytes
    err: bytes
    files: tuple[tuple[str, int, bytes], ...]


class Sides:
    """Runs commands bare and wrapped.

    With `covered` the wrapper's lines count, and CMD's environment tells.
    """

    def __init__(self, base: Path, *, covered: bool = False, wrap: Sequence[str] = WRAP) -> None:
        self.base, self.command = base, wrap
        self.state = base / "state"
        self.kind = environ.covered if covered else environ.bare
        self._turn = 0

    def environment(self, **more: str) -> dict[str, str]:
        return self.kind(self.base, **{"ROLLCALL_STATE_DIR": str(self.state), **more})

    def bare(self, argv: Sequence[str | bytes], **how: object) -> Ending:
        return self._run(argv, how)

    def wrapped(self, argv: Sequence[str | bytes], *options: str, **how: object) -> Ending:
        ending = self._run([*self.command, *options, "--", *argv], how)
        lines = ending.err.splitlines(keepends=True)
        assert lines, "there was no notice"
        assert lines[0].startswith(NOTICE), ending.err
        return Ending(ending.code, ending.out, b"".join(lines[1:]), ending.files)

    def _run(self, argv: Sequence[str | bytes], how: dict[str, object]) -> Ending:
        self._turn += 1
        place = self.base / f"turn-{self._turn}" / "place"
        place.mkdir(parents=True)
        for name, text in dict(how.pop("files", {})).items():  # type: ignore[call-overload]
            (place / name).write_bytes(text)
            (place / name).chmod(0o755)
        done = subprocess.run(
            argv,
            cwd=place,
            **{"env": self.environment(), "input": b"", "timeout": PATIENCE, **how},  # type: ignore[call-overload]
            capture_output=True,
            check=False,
        )
        out, err = (data.replace(os.fsencode(place), b"PLACE") for data in (done.stdout, done.stderr))
        left = sorted(path for path in place.rglob("*") if path.is_file())
        files = tuple((str(p.relative_to(place)), p.stat().st_mode, p.read_bytes()) for p in left)
        return Ending(done.returncode, out, err, files)

    def events(self) -> list[dict[str, object]]:
        """Everything that was recorded, once all that is finished was taken in."""
        import json

        flushed = run_verb("flush", env=self.environment(), cwd=self.base)
        log = run_verb("log", "--json", env=self.environment(), cwd=self.base)
        assert flushed.returncode == log.returncode == 0, (flushed, log)
        return [json.loads(line)["event"] for line in log.stdout.splitlines()]
