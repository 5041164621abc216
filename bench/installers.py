"""Real installers, bare and wrapped, failing at different points: is all alike, and what is reported.

    python -m bench installers FOLDER [--points 0,2,5,9,14] [--only NAME] [--keep DIR]

FOLDER holds installers: a script NAME, or a folder NAME with a file RUN in it whose one line starts the
installer (`./install.sh --yes`). Each runs as root in bench/sandbox.sh: without network, and whatever it
writes goes to memory. Point 0 is the machine as it is, without network; at point N programs are stubs, and
the Nth call of one of them fails. It runs twice bare and once wrapped: what differs between the two bare
runs is not compared.

The table is to be judged by people, who read the installer. --keep leaves for them what each run printed,
which stubs it called, and what xtrace says of one more bare run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SANDBOX = Path(__file__).parent / "sandbox.sh"
SPACES = ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
SECONDS = 60
TIMED_OUT = (124, 137)
AGENT = f"{shlex.quote(sys.executable)} -I -m agent"
WRAP = f"{AGENT} wrap --no-input -- "
TELL = f"{AGENT} flush >/dev/null 2>&1; {AGENT} log --json"
XTRACE = r"""
PS4='+ $? ${BASH_SOURCE[0]##*/}:$LINENO ${FUNCNAME[*]} (${BASH_LINENO[*]}) '
exec 87>>/home/rollcall/trace
BASH_XTRACEFD=87
set -x
"""


@dataclass(frozen=True)
class Run:
    """What one run left: its output, its code, the files it wrote, and what was reported."""

    code: int
    streams: tuple[str, str, str]
    reported: dict[str, object]

    def differs(self, twin: Run, other: Run) -> list[str]:
        """What is not as in the other two, which agree on it."""
        found = [] if twin.code != other.code or self.code == other.code else ["code"]
        names = ("stdout", "stderr", "files")
        for name, mine, its, others in zip(names, self.streams, twin.streams, other.streams, strict=True):
            if its == others != mine:
                found.append(name)
        return found


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench installers")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--points", default="0,2,5,9,14")
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args(argv)
    if os.geteuid() != 0:
        print("bench: installers need root, for namespaces", file=sys.stderr)
        return 2
    print(f"{'installer':<28} {'point':>5} {'code':>4} {'alike':<14} {'place':<28} {'program':<18} that line")
    for installer in sorted(options.folder.iterdir()):
        if options.only in ("", installer.name):
            for point in options.points.split(","):
                kept = options.keep / installer.name / point if options.keep else None
                print(row(installer, int(point), kept), flush=True)
    return 0


def row(installer: Path, point: int, keep: Path | None) -> str:
    """Three runs of an installer at one point, as a line of the table."""
    with tempfile.TemporaryDirectory() as place:
        command = furnish(Path(place), installer)
        first, second = (play(Path(place), point, command) for _ in range(2))
        wrapped = play(Path(place), point, f"{WRAP}{command}", TELL)
        if keep:
            shutil.copytree(place, keep, dirs_exist_ok=True, symlinks=True)
            shutil.rmtree(keep / "scratch")
            play(Path(place), point, f"env BASH_ENV=/home/rollcall/xtrace {command}")
            shutil.copy(Path(place) / "trace", keep)
        different = wrapped.differs(first, second)
        alike = "timed out" if first.code in TIMED_OUT else ", ".join(different) or "alike"
        script, line, program, code = (wrapped.reported.get(name) for name in FIELDS)
        said = f"{script or ''}:{line}" if line else "-"
        named = f"{program}:{code}" if program else "-"
        text = source(Path(place) / "scratch", str(script), line)
    return f"{installer.name:<28} {point:>5} {first.code:>4} {alike:<14} {said:<28} {named:<18} {text}"


FIELDS = ("script", "line", "command", "commandExitCode")


def furnish(place: Path, installer: Path) -> str:
    """Lay out what the sandbox reads; return the command that starts the installer."""
    scratch = place / "scratch"
    if installer.is_dir():
        shutil.copytree(installer, scratch, symlinks=True)
        command = (scratch / "RUN").read_text().strip()
        (scratch / "RUN").unlink()
    else:
        scratch.mkdir()
        shutil.copy2(installer, scratch / installer.name)
        (scratch / installer.name).chmod(0o755)
        command = f"./{installer.name}"
    (place / "xtrace").write_text(XTRACE)
    (place / "answers").write_text("y\n" * 200)
    return command


def play(place: Path, point: int, command: str, after: str = "") -> Run:
    for name in ("out", "err", "files", "log", "status"):
        (place / name).unlink(missing_ok=True)
    argv = [*SPACES, "/bin/sh", str(SANDBOX), str(place), str(point), command, after]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    if not (place / "status").exists():
        raise RuntimeError(done.stderr.decode(errors="replace"))
    streams = tuple(plain((place / name).read_text(errors="replace")) for name in ("out", "err", "files"))
    out, err, files = streams
    return Run(int((place / "status").read_text()), (out, err, files), reported(place / "log"))


def plain(text: str) -> str:
    """Without the notice, and without numbers that change from run to run."""
    lines = (line for line in text.split("\n") if not line.startswith("rollcall: "))
    return re.sub(r"\d{3,}", "N", "\n".join(lines))


def reported(log: Path) -> dict[str, object]:
    return next(ends(log), {}) if log.exists() else {}


def ends(log: Path) -> Iterator[dict[str, object]]:
    for line in log.read_text().splitlines():
        event = json.loads(line)["event"]
        if event["event"] == "Installation Errors":
            yield event["properties"]


def source(scratch: Path, script: str, line: object) -> str:
    """The text of the line that was reported."""
    for path in scratch.rglob(script):
        lines = path.read_text(errors="replace").split("\n")
        if isinstance(line, int) and line <= len(lines):
            return lines[line - 1].strip()[:70]
    return ""
