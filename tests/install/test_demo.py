"""The README's first command, in a fresh clone, as an ordinary user with a bare environment."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install import sessions
from tests.install.scripts import AS_NOBODY, home_of_nobody, run
from tests.install.trees import tree
from tests.wait import until

DEMO_SECONDS = 120
pytestmark = pytest.mark.needs("user", "bash")


@pytest.fixture(scope="module")
def clone() -> Iterator[Path]:
    place = sessions.fresh_clone()
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    place = home_of_nobody()
    yield place
    shutil.rmtree(place)


def test_it_shows_what_the_docs_show_and_touches_nothing_else(clone: Path, home: Path) -> None:
    before, started = tree(clone, ""), time.monotonic()
    seen = sessions.record_demo(clone, home)
    assert time.monotonic() - started < DEMO_SECONDS
    assert seen == (sessions.DOCS / "demo.txt").read_text()
    assert tree(home, "") == {}
    new = {path for path in tree(clone, "") if path not in before and "__pycache__" not in path}
    assert {path.split("/")[1] for path in new} == {".venv-demo"}
    assert not list((clone / ".venv-demo").glob("run-*"))


def test_control_c_ends_it_and_all_that_it_started(clone: Path, home: Path) -> None:
    command = [*AS_NOBODY, "./install/install.sh", "--demo"]
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(home)}
    demo = subprocess.Popen(
        command, cwd=clone, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert demo.stdout
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if "Ctrl-C ends it" in line:
            break
    rollcall = [*AS_NOBODY, str(clone / ".venv-demo/rollcall")]
    assert '"sending": true' in run(*rollcall, "status", "--json", environ=environ).stdout
    run(*rollcall, "beat", environ=environ)
    assert "Instance Active" in next(line for line in demo.stdout if "→" in line)
    os.killpg(demo.pid, signal.SIGINT)
    lines += list(demo.stdout)
    demo.stdout.close()
    assert demo.wait() == 0
    assert "5 of 5 events arrived." in "".join(lines)
    assert not list((clone / ".venv-demo").glob("run-*"))
    until(lambda: not started_from(clone), why="nothing of it runs")


def started_from(clone: Path) -> list[str]:
    """The processes that run from the demo's environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if command.startswith(os.fsencode(clone)):
            found.append(folder.name)
    return found


def test_the_other_sessions_in_the_docs_are_what_is_seen(bundle: Path) -> None:
    for name, text in sessions.record_failure(bundle).items():
        assert text == (sessions.DOCS / f"{name}.txt").read_text()
