"""Private environments, one a Python version, made once and kept while pyproject.toml stays."""

import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

OLDEST, NEWEST = (3, 9), (3, 13)
AGENT_ALONE = "3.9"  # runs the agent and its tests; all else needs a newer one
COLLECTOR_ENDS = ("3.10", "3.13")  # its oldest and its newest; what works on both works between them
AGENT_GROUP = "test-oldest"
RETRIES = "6"  # pip waits 15 s in all before it gives up a download
INSTALL_SECONDS = 600

# Static, because setuptools' import hook would cost every child's start more than the agent does.
EDITABLE = ["--config-settings", "editable_mode=compat", "--editable"]


class SetupError(Exception):
    """An environment could not be made; the text says what to do."""


@dataclass(frozen=True)
class Python:
    """An interpreter of the machine."""

    version: str  # "3.11"
    path: str


def current() -> Python:
    major, minor = sys.version_info[:2]
    return Python(f"{major}.{minor}", sys.executable)


def others() -> list[Python]:
    """Return one working interpreter for each further version that the project supports."""
    found = {}
    for minor in range(OLDEST[1], NEWEST[1] + 1):
        version = f"3.{minor}"
        if version != current().version and (path := working(version)):
            found[version] = Python(version, path)
    return list(found.values())


def working(version: str) -> str | None:
    """Find a Python of this version on PATH or in pyenv; a shim that only complains is none."""
    on_path = shutil.which(f"python{version}")
    pyenv = sorted(glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python3")))
    for path in [*([on_path] if on_path else []), *reversed(pyenv)]:
        code = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
        asked = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
        if asked.stdout.strip() == version:
            return path
    return None


def ready(python: Python, root: Path, *, group: str, pip: str = "") -> Path:
    """Return the interpreter of this version's environment, made or mended if need be.

    `pip` is an interpreter whose pip installs there; without it the environment gets its own.
    """
    home = root / f".venv-{python.version}"
    stamp = home / "stamp"
    made_with = f"{os.path.realpath(python.path)} in {root}"
    wanted = f"{made_with}\n{group} {project(root)}"
    with locked(root / f".venv-{python.version}.lock"):
        found = stamp.read_text() if stamp.exists() else ""
        if not found.startswith(made_with):
            create(python, home, *(["--without-pip"] if pip else []))
        if found != wanted:
            install(home / "bin" / "python", root, group, pip)
            stamp.write_text(wanted)
    return home / "bin" / "python"


def project(root: Path) -> str:
    """Return a fingerprint of what decides about the packages."""
    return hashlib.sha256((root / "pyproject.toml").read_bytes()).hexdigest()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep a second tests/run in the same checkout from installing at the same time."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def create(python: Python, home: Path, *options: str) -> None:
    done = run([python.path, "-m", "venv", "--clear", *options, str(home)])
    if done.returncode != 0:
        raise SetupError(
            f"Python {python.version} could not make a private environment. Debian keeps the "
            f"module apart: apt-get install python3-venv\n{done.stdout.strip()}"
        )


def install(inside: Path, root: Path, group: str, pip: str) -> None:
    quietly = ["-m", "pip", "--quiet", "--disable-pip-version-check"]
    if not pip:  # dependency groups came with pip 25.1; an environment starts with whatever Python shipped
        download([str(inside), *quietly, "install", "--upgrade", "pip>=25.1"], root)
    there = [pip or str(inside), *quietly, "--python", str(inside), "install"]
    ours = ".[sealed]" if group == AGENT_GROUP else ".[collector,sealed]"
    download([*there, *EDITABLE, ours, "--group", group], root)


def download(command: list[str], root: Path) -> None:
    """Run pip, which tries again by itself; name what it could not get."""
    done = run([*command, "--retries", RETRIES], cwd=root)
    if done.returncode != 0:
        raise SetupError(
            f"pip could not install what the tests need ({last_error(done.stdout)}). "
            "Is the package index reachable from here? Set PIP_INDEX_URL to use another."
        )


def last_error(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["no word from it"])[-1]


def run(command: list[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, stdout=f"error: no end within {INSTALL_SECONDS} s")
