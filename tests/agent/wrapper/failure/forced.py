"""A script bare, and traced by a method of our choice: what its caller sees of either."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from agent.wrapper.failure import trace
from agent.wrapper.process.caller import Environment
from tests import environ
from tests.wait import PATIENCE

SECONDS = PATIENCE
METHODS = ("xtrace", "traps", "error")


@dataclass(frozen=True)
class Seen:
    """All that a caller sees of a script."""

    code: int
    out: bytes
    err: bytes
    files: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Stage:
    """Runs scripts with one bash, each in a fresh folder."""

    base: Path
    bash: str = "bash"

    def bare(self, text: str, **files: str) -> Seen:
        return self._run(text, files, "")[0]

    def forced(self, method: str, text: str, **files: str) -> Seen:
        return self._run(text, files, method)[0]

    def place(self, method: str, text: str, **files: str) -> object:
        return self._run(text, files, method)[1]

    def _run(self, text: str, files: dict[str, str], method: str) -> tuple[Seen, object]:
        folder = Path(tempfile.mkdtemp(dir=self.base))
        for name, content in {"install.sh": text, **files}.items():
            (folder / name.replace("_", ".")).write_text(content)
        given = environ.bare(self.base)
        environment = Environment([os.fsencode(f"{name}={value}") for name, value in given.items()])
        argv = [self.bash, str(folder / "install.sh"), "an argument"]
        made = trace.prepare([os.fsencode(word) for word in argv], environment, method) if method else None
        entries = (made.environment if made else environment).entries
        with subprocess.Popen(
            argv,
            cwd=folder,
            env=dict(entry.split(b"=", 1) for entry in entries),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            out, err = process.communicate(timeout=SECONDS)
        place = made.failed(process.pid, process.returncode) if made and process.returncode > 0 else None
        if made:
            for fd in made.descriptors():
                os.close(fd)
        out, err = (data.replace(os.fsencode(folder), b"PLACE") for data in (out, err))
        left = sorted((path.name, path.read_bytes()) for path in folder.iterdir() if path.is_file())
        return Seen(process.returncode, out, err, tuple(left)), place
