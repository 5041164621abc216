"""Sessions of pytest, and what they came to together."""

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests import parts
from tests.runner.steps import Progress

WORKERS = 3  # on two cores: many tests wait for a clock or a disk; more take as long
AGENT = "tests/agent"
MEASURED = (AGENT, "tests/e2e")
AGENT_COVERAGE = "97"  # per cent of the lines and branches of agent/
NO_TESTS_COLLECTED = 5  # pytest's exit code


@dataclass
class Suite:
    """Runs tests and adds up their counts and skips."""

    progress: Progress
    everything: bool
    slow: bool
    counts: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)

    def forget_coverage(self, python: str) -> None:
        self.progress.quietly("coverage from nothing", [python, "-m", "coverage", "erase"])

    def whole(self, python: str, *, coverage: bool) -> None:
        """Run all tests: first those that want the machine for themselves.

        Those that run the agent alone are measured: to be measured takes a test twice the time.
        """
        self._session("tests, one by one", python, ["-m", "serial"])
        beside = ["-m", "not serial"]
        if coverage:
            self._together("tests of the agent", python, [*beside, *MEASURED], coverage=True)
            beside += [f"--ignore={path}" for path in MEASURED]
        self._together("tests", python, beside)

    def units(self, version: str, python: str, paths: Sequence[str]) -> None:
        """Run the tests below the paths on a further Python, but for those that tell nothing of it."""
        self._together(f"unit tests on {version}", python, ["-m", "not serial and not once", *paths])

    def _together(self, name: str, python: str, arguments: Sequence[str], *, coverage: bool = False) -> None:
        beside = ["-n", str(WORKERS), "--dist", "worksteal"]
        self._session(f"{name}, {WORKERS} at a time", python, [*beside, *arguments], coverage=coverage)

    def chosen(self, python: str, arguments: Sequence[str], *, coverage: bool) -> None:
        """Run what was asked for, in one process."""
        if coverage:
            self.forget_coverage(python)
        self._session("tests", python, arguments, coverage=coverage, fine=(0,))
        if coverage:
            self.report_coverage(python, enforce=False)

    def _session(
        self,
        name: str,
        python: str,
        arguments: Sequence[str],
        *,
        coverage: bool = False,
        fine: Sequence[int] = (0, NO_TESTS_COLLECTED),
    ) -> None:
        measure = ["-m", "coverage", "run"] if coverage else []
        flags = ["--all"] * self.everything + ["--slow"] * self.slow
        with tempfile.TemporaryDirectory(prefix="rollcall-tests-") as folder:
            tally = Path(folder, "tally")
            command = [python, *measure, "-m", "pytest", *flags, "--tally", str(tally), *arguments]
            self.progress.openly(name, command, fine=fine)
            if tally.exists():
                self._add(json.loads(tally.read_text()))

    def _add(self, tally: dict[str, Counter[str]]) -> None:
        self.counts.update(tally["counts"])
        self.skipped.update(tally["skips"])

    def report_coverage(self, python: str, *, enforce: bool) -> None:
        """Print what was not reached, and hold agent/ to its threshold."""
        cover = [python, "-m", "coverage"]
        self.progress.quietly("coverage put together", [*cover, "combine", "--quiet"])
        if enforce:
            agent = [*cover, "report", "--include=agent/*", f"--fail-under={AGENT_COVERAGE}"]
            self.progress.openly(f"coverage of agent/ >= {AGENT_COVERAGE} %", agent)
        else:
            self.progress.openly("coverage", [*cover, "report"])

    def skips(self) -> list[str]:
        return parts.list_of_skips(self.skipped)

    def closing_line(self) -> str:
        """Return the counts of all sessions in the form that CI systems read."""
        failed = self.counts["failed"] + self.counts["error"]
        skipped = self.skipped.total()
        return f"{self.counts['passed']} passed, {failed} failed, {skipped} skipped"
