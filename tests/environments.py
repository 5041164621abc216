"""Environments for what cannot stand beside the tests: other versions, or plugins that would join in."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from tests.runner import environment as runner

ROOT = Path(__file__).parents[1]


def environment(group: str) -> Path:
    """The interpreter of an environment with one dependency group, made once a version of pyproject.toml."""
    version = hashlib.sha256(f"{sys.version} {runner.project(ROOT)}".encode()).hexdigest()[:12]
    home = ROOT / "build" / f"{group}-{version}"
    home.parent.mkdir(exist_ok=True)
    with runner.locked(home.parent / f"{group}.lock"):
        if not (home / "done").exists():
            runner.create(runner.current(), home, "--without-pip")
            pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
            there = ["--python", str(home / "bin" / "python"), "install"]
            runner.download([*pip, *there, "--group", f"{ROOT}/pyproject.toml:{group}"], ROOT)
            (home / "done").touch()
    return home / "bin" / "python"
