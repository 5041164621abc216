import subprocess
import sys
from pathlib import Path

import pytest

from tests import environ


def test_a_bare_environment_holds_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    monkeypatch.setenv(environ.COVERAGE, "x")

    assert environ.bare(tmp_path, A="b") == {"PATH": environ.PATH, "HOME": str(tmp_path), "A": "b"}
    assert environ.covered(tmp_path)[environ.COVERAGE] == "x"
    monkeypatch.delenv(environ.COVERAGE)
    assert environ.covered(tmp_path) == environ.bare(tmp_path)


def test_an_isolated_child_finds_the_agent(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-c", "import agent; print(agent.__doc__)"]
    done = subprocess.run(command, env=environ.bare(tmp_path), cwd=tmp_path, capture_output=True, check=True)

    assert b"Rollcall" in done.stdout


def test_the_checkout_adds_no_import_hook_to_a_child(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-c", "import sys; print(*sys.modules)"]
    done = subprocess.run(
        command,
        env=environ.bare(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "site" in done.stdout.split()
    assert not {"importlib.util", "pathlib", "typing", "re"} & set(done.stdout.split())
