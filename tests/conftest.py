"""The project's own pytest options: --all, --slow, and the marker `needs`.

A test marked needs("strace", "root") is skipped where one of them is missing; at the end every
skip is listed by the part's name with how to get it, and with --all it fails the run.
"""

import json
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

from tests import leftovers, parts


def missing(part: str, why: str) -> NoReturn:
    """Skip for a part whose lack shows only while the test runs, such as a mirror that is down."""
    if part not in parts.PARTS:
        raise KeyError(part)
    pytest.skip(f"{parts.PREFIX}{part} ({why})")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rollcall")
    group.addoption("--all", action="store_true", help="a skip is a failure")
    group.addoption("--slow", action="store_true", help="run the long forms of proofs too")
    group.addoption("--tally", metavar="FILE", help="write the counts as JSON, for tests/run")


def pytest_configure(config: pytest.Config) -> None:
    heed_signals()
    hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, database=None)
    hypothesis.settings.register_profile("slow", deadline=None, max_examples=5000)
    if not config.getoption("--hypothesis-profile", default=None):
        hypothesis.settings.load_profile("slow" if config.getoption("--slow") else "ci")


def heed_signals() -> None:
    """Children inherit what is ignored; a run started with nohup or & would have deaf ones."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    refuse_unknown_parts(items)
    items.sort(key=allowance, reverse=True)
    if config.getoption("--slow"):
        return
    long = [item for item in items if item.get_closest_marker("slow")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


def allowance(item: pytest.Item) -> int:
    """Seconds that a test may take if that is more than usual: those begin first, or all wait for them."""
    marker = item.get_closest_marker("timeout")
    return marker.args[0] if marker else 0


def refuse_unknown_parts(items: list[pytest.Item]) -> None:
    for item in items:
        for part in needed(item):
            if part not in parts.PARTS:
                raise pytest.UsageError(f"{item.nodeid} needs {part!r}: not in tests/parts.py")


def needed(item: pytest.Item) -> Iterator[str]:
    for marker in item.iter_markers("needs"):
        yield from marker.args


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    lacking = sorted({part for part in needed(item) if not parts.here(part)})
    if lacking:
        pytest.skip(parts.PREFIX + ", ".join(lacking))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder that every user may enter.

    pytest's own are for root alone. If a test changes their mode, the next pytest that starts sets it back.
    """
    folder = Path(tempfile.mkdtemp(prefix="rollcall-open-"))
    folder.chmod(0o755)
    yield folder
    leftovers.remove(folder)


@pytest.fixture(scope="session")
def slow(request: pytest.FixtureRequest) -> bool:
    """Whether the long forms were asked for: `kills = 200 if slow else 20`."""
    return bool(request.config.getoption("--slow"))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:  # a worker of pytest-xdist; its controller counts
        return
    skips = reasons(reporter)
    write_tally(session.config, reporter, skips)
    if session.config.getoption("--all") and any(not parts.is_soft(reason) for reason in skips):
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def reasons(reporter: pytest.TerminalReporter) -> Counter[str]:
    """Count the skips by their reason, wherever their workers ran."""
    return Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reporter.getreports("skipped"))


def write_tally(config: pytest.Config, reporter: pytest.TerminalReporter, skips: Counter[str]) -> None:
    if file := config.getoption("--tally"):
        count = {word: len(reporter.stats.get(word, ())) for word in ("passed", "failed", "error")}
        Path(file).write_text(json.dumps({"counts": count, "skips": skips}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--tally"):  # tests/run lists them, over all its sessions
        return
    for line in parts.list_of_skips(reasons(terminalreporter)):
        terminalreporter.write_line(line)
