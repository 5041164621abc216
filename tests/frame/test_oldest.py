"""Python 3.9 runs the agent; everything else says plainly that it needs more."""

import subprocess
from pathlib import Path

import pytest

from tests import parts
from tests.environ import bare

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.needs("python3.9"), pytest.mark.once]


def said_by(*words: str, home: Path, **more: str) -> tuple[int, str]:
    done = subprocess.run(
        words, cwd=ROOT, env=bare(home, **more), capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_the_collector_says_that_it_needs_more(tmp_path: Path) -> None:
    code, said = said_by(str(parts.python39()), "-m", "collector", "serve", home=tmp_path)
    assert (code, said) == (1, "rollcall-collector: Python 3.10 or newer is needed, and this is 3.9\n")


def test_the_tests_say_that_they_need_more(tmp_path: Path) -> None:
    python = str(parts.python39())
    code, said = said_by("tests/run", "--checks", home=tmp_path, PYTHON=python)
    assert (code, said.partition(": it runs")[0]) == (1, f"tests/run: {python} is older than 3.10")


def test_the_agent_is_declared_locked_and_bundled_for_it() -> None:
    assert 'requires-python = ">=3.9"' in (ROOT / "pyproject.toml").read_text()
    locked = (ROOT / "install/requirements-3.9.lock").read_text()
    assert {"requests", "urllib3", "psutil"} <= {line.partition("==")[0] for line in locked.splitlines()}
