"""Runs a script of the corpus bare and wrapped, each in a folder of its own, with stubs for programs."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from tests import environ
from tests.agent.wrapper.failure.corpus.truth import Case, Found
from tests.e2e.wrap.side_by_side import NOTICE, WRAP, Ending, Sides
from tests.wait import PATIENCE

SECONDS = PATIENCE
STUB = Path(__file__).parent / "stub.sh"
ALWAYS = ("apt-get", "curl", "docker", "git", "helm", "psql", "ssh", "sudo", "systemctl")
"""Programs that no script of the corpus may really reach."""


class Stage(Sides):
    """Where scripts are run with one bash, and what was reported of them.

    Of every so many scripts, one counts the wrapper's lines; to count those of all would take too long.
    """

    def __init__(self, base: Path, bash: str, *options: str, every: int = 0) -> None:
        super().__init__(base)
        self.bash = bash
        self.every = every
        self.wrap = shlex.join([*WRAP, *options, "--"])

    def alone(self, case: Case) -> Ending:
        return self._play(case, "")

    def observed(self, case: Case) -> Ending:
        ending = self._play(case, self.wrap)
        lines = ending.err.splitlines(keepends=True)
        own = [line for line in lines if line.startswith(NOTICE)]
        assert len(own) == 1, ending.err
        lines.remove(own[0])
        return Ending(ending.code, ending.out, b"".join(lines), ending.files)

    def _play(self, case: Case, wrapper: str) -> Ending:
        counted = self.every and self._turn // 2 % self.every == 0  # both sides of a script are alike
        self.kind = environ.covered if counted else environ.bare
        self._turn += 1
        place = self.base / f"turn-{self._turn}" / "place"
        programs = self._furnish(place, case)
        environment = self.environment()
        done = subprocess.run(
            ["/bin/sh", "-c", case.run.replace("@", wrapper)],
            cwd=place,
            env={**environment, "PATH": f"{programs}:{environment['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        out, err = (data.replace(os.fsencode(place), b"PLACE") for data in (done.stdout, done.stderr))
        left = sorted(path for path in place.rglob("*") if path.is_file() and not path.is_symlink())
        files = tuple((str(p.relative_to(place)), p.stat().st_mode, p.read_bytes()) for p in left)
        return Ending(done.returncode, out, err, files)

    def _furnish(self, place: Path, case: Case) -> Path:
        programs = place / "bin"
        programs.mkdir(parents=True)
        for name, text in case.files.items():
            (place / name).write_text(text)
            (place / name).chmod(0o755)
        fails = [entry.replace(":", " ").replace("@", " ") for entry in case.fails]
        (programs / "fails").write_text("".join(f"{line}\n" for line in fails))
        for name in {*ALWAYS, *case.reads, *case.prints, *(line.split()[0] for line in fails)}:
            (programs / name).symlink_to(STUB)
        for name in case.reads:
            (programs / f"{name}.reads").touch()
        for name, text in case.prints.items():
            (programs / f"{name}.prints").write_text(text + "\n")
        (programs / "bash").symlink_to(self.bash)
        return programs

    def reports(self) -> list[Found]:
        """What was reported of every run so far, in their order; of a success, nothing."""
        names = ("Installation Errors", "Installation Success")
        ends = [event for event in self.events() if event["event"] in names]
        return [_found(event["properties"]) for event in sorted(ends, key=lambda e: str(e["timestamp"]))]


def _found(properties: object) -> Found:
    assert isinstance(properties, dict)
    return Found(*(properties.get(name) for name in ("script", "line", "command", "commandExitCode")))
