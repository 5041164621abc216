"""JavaScript libraries for tests, installed once a version into build/."""

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import missing
from tests.runner.environment import locked

BUILD = Path(__file__).parents[1] / "build"
QUIETLY = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error")
RETRIES = "--fetch-retries=5"
INSTALL_SECONDS = 180


def installed(name: str, *files: Path) -> Path:
    """The folder with node_modules. The files are package.json, and a lock file if there is one."""
    version = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    folder = BUILD / name / version
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        if not (folder / "done").exists():
            install(folder, files)
    return folder


def install(folder: Path, files: Sequence[Path]) -> None:
    for file in files:
        shutil.copy(file, folder)
    words = ["ci"] if (folder / "package-lock.json").exists() else ["install", "--no-package-lock"]
    done = subprocess.run(
        ["npm", *words, *QUIETLY, RETRIES],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_SECONDS,
    )
    if done.returncode:
        missing("node", f"npm could not install the libraries: {done.stderr.strip()[-200:]}")
    (folder / "done").touch()
