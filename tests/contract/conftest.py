"""A collector, and the libraries that real applications send with."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.running import Collector
from tests.conftest import missing
from tests.environments import environment
from tests.runner.environment import locked

HERE = Path(__file__).parent
INSTALL_SECONDS = 180


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    started = Collector(tmp_path, f"sqlite:///{tmp_path}/collector.db").start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def javascript() -> Path:
    """The folder with node_modules, installed from the lock file once a version of it."""
    lock = (HERE / "package-lock.json").read_bytes()
    folder = HERE.parents[1] / "build" / "contract" / hashlib.sha256(lock).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        return folder if (folder / "done").exists() else install(folder)


def install(folder: Path) -> Path:
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(HERE / name, folder)
    for _ in range(3):
        command = ["npm", "ci", "--ignore-scripts", "--no-progress", "--loglevel=error"]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
        )
        if done.returncode == 0:
            (folder / "done").touch()
            return folder
    return missing("node", "npm could not install the libraries")


@pytest.fixture(scope="session")
def old_python_library() -> Path:
    """A Python with analytics-python 1.4, which needs other versions than the libraries of today."""
    return environment("contract-old")
