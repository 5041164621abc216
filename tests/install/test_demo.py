"""The demo, in a fresh clone, as an ordinary user with a bare environment."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.running import cookie_of_link
from tests.install import sessions
from tests.install.scripts import AS_NOBODY, home_of_nobody, run
from tests.install.trees import tree
from tests.leftovers import remove
from tests.wait import PATIENCE, until

DEMO_SECONDS = 120
SENT = [
    "Installation Errors",
    *["Installation Started"] * 2,
    *("Installation Success", "Installation Support", "Instance Active"),
]
ALL_WELL = "6 of 6 events arrived, and none with the flag set.\n"
LINK = re.compile(r"http://(127\.0\.0\.1:\d+)(/setup\?token=\S+)")
pytestmark = pytest.mark.needs("user", "bash")


@pytest.fixture(scope="module")
def clone() -> Iterator[Path]:
    place = sessions.fresh_clone()
    yield place
    remove(place)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    place = home_of_nobody()
    yield place
    remove(place)


def test_it_shows_what_the_docs_show_and_touches_nothing_else(clone: Path, home: Path) -> None:
    shutil.rmtree(clone / ".venv-demo", ignore_errors=True)  # of another test, if that came first
    before, started = tree(clone, ""), time.monotonic()
    seen = sessions.record_demo(clone, home)
    assert time.monotonic() - started < DEMO_SECONDS
    assert seen == (sessions.DOCS / "demo.txt").read_text()
    assert tree(home, "") == {}
    new = {path for path in tree(clone, "") if path not in before and "__pycache__" not in path}
    assert {path.split("/")[1] for path in new} == {".venv-demo"}
    assert not list((clone / ".venv-demo").glob("run-*"))


@contextlib.contextmanager
def demo(clone: Path, home: Path, *words: str, **environ: str) -> Iterator["subprocess.Popen[str]"]:
    """The demo at work, its output to be read line by line.

    SIGINT comes ignored, as to a script's job in the background: the demo waits for it all the same.
    """
    ignoring = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *AS_NOBODY]
    with subprocess.Popen(
        [*ignoring, "./install/install.sh", "--demo", *words], cwd=clone, env=bare(home) | environ, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def bare(home: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": str(home)}


def up_to(words: str, process: "subprocess.Popen[str]") -> list[str]:
    """The lines until one that has these words, and that one."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError("".join(lines))


class Browser:
    """A browser that has opened the page with the link in a line."""

    def __init__(self, line: str) -> None:
        found = LINK.search(line)
        assert found, line
        self.host = found[1]
        self.cookie = cookie_of_link(int(self.host.rpartition(":")[2]), found[2])

    def page(self, path: str = "") -> str:
        """What the page shows."""
        with contextlib.closing(http.client.HTTPConnection(self.host, timeout=PATIENCE)) as connection:
            connection.request("GET", f"/{path}", headers={"Cookie": self.cookie})
            answer = connection.getresponse()
            assert answer.status == 200
            return answer.read().decode()

    def landed(self) -> list[str]:
        return sorted(event["event"] for event in json.loads(self.page("events.json"))["tables"]["events"])


def test_it_ends_with_the_page_open_to_the_newcomers_events(clone: Path, home: Path) -> None:
    with demo(clone, home) as process:
        up_to("If you have not opened it yet", process)
        browser = Browser(up_to("token=", process)[-1])
        assert browser.page().count("<b>1</b> <small>seen for less than a day") == 3
        assert browser.landed() == SENT
        up_to("Ctrl-C ends the demo", process)
        rollcall = [*AS_NOBODY, str(clone / ".venv-demo/rollcall")]
        assert '"sending": true' in run(*rollcall, "status", "--json", environ=bare(home)).stdout
        run(*rollcall, "beat", environ=bare(home))
        assert "Instance Active" in up_to("→", process)[-1]
        assert browser.landed() == [*SENT, "Instance Active"]
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait() == 0
    assert_nothing_is_left(clone, process.pid)
    with pytest.raises(ConnectionRefusedError):
        browser.page()


def test_once_it_ends_by_itself_and_its_page_was_open_meanwhile(clone: Path, home: Path) -> None:
    with demo(clone, home, "--once") as process:
        assert Browser(up_to("token=", process)[-1]).page().startswith("<!doctype html>")
        assert up_to("events arrived", process)[-1] == ALL_WELL
        assert process.wait() == 0
    assert_nothing_is_left(clone, process.pid)


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("two sides", signal.SIGINT),
        ("unpacking", signal.SIGINT),
        ("unpacking", signal.SIGTERM),
        ("exit code 2, as", signal.SIGINT),
        ("support --email", signal.SIGTERM),
        ("DO_NOT_TRACK=1", signal.SIGINT),
    ],
)
def test_whenever_it_is_ended_nothing_of_it_is_left(
    clone: Path, home: Path, moment: str, number: signal.Signals
) -> None:
    """Ctrl-C reaches everything at the terminal, `kill` the demo alone."""
    with demo(clone, home, "--once") as process:
        up_to(moment, process)
        (os.killpg if number is signal.SIGINT else os.kill)(process.pid, number)
        assert process.wait() == 1
        assert process.stdout
        assert "arrived" not in process.stdout.read()
    assert_nothing_is_left(clone, process.pid)


def test_ended_while_the_package_index_is_slow_it_leaves_no_process(home: Path) -> None:
    clone = sessions.fresh_clone()
    with socket.create_server(("127.0.0.1", 0)) as index:
        url = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        with demo(clone, home, "--once", PIP_INDEX_URL=url) as process:
            asked, _ = index.accept()  # and never answered
            os.killpg(process.pid, signal.SIGINT)
            process.wait()
            asked.close()
    assert_nothing_is_left(clone, process.pid)
    remove(clone)


def test_it_fails_where_something_is_sent_although_the_flag_is_set(clone: Path, home: Path) -> None:
    """Also on a machine so slow that the time to look is over before the commands are."""
    program = clone / "install/demo/demo.py"
    good = bad = program.read_text()
    for was, becomes in (
        ('FLAG = "DO_NOT_TRACK=1 "', 'FLAG = "NO_SUCH_FLAG=1 "'),
        ("SILENT_SECONDS = 2.0", "SILENT_SECONDS = 0.0"),
    ):
        assert bad.count(was) == 1
        bad = bad.replace(was, becomes)
    program.write_text(bad)
    try:
        with demo(clone, home, "--once") as process:
            assert up_to("events arrived", process)[-1] == ALL_WELL.replace("none", "3")
            assert process.wait() == 1
    finally:
        program.write_text(good)


def assert_nothing_is_left(clone: Path, group: int) -> None:
    """No process, neither in the demo's group nor of its environment, and no file but that environment."""
    until(lambda: not started_from(clone), why="nothing of it runs")
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)
    assert not list((clone / ".venv-demo").glob("run-*"))
    assert not (clone / ".venv-demo/rollcall").exists()


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
