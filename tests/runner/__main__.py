"""Run the checks and the tests; see `tests/run --help`."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.runner import environment, shell
from tests.runner.environment import Python
from tests.runner.oldest import check_oldest_parser
from tests.runner.steps import Progress
from tests.runner.suite import AGENT, Suite

ROOT = Path(__file__).resolve().parents[2]
COLLECTOR = "tests/collector"

USAGE = """tests/run [--all] [--slow] [--checks] [--cov] [PYTEST ARGUMENTS]

Without arguments: format, lint, types, imports, shell checks, then all tests. With arguments for pytest
(a path, -k, -x): only pytest with those, in one process."""


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser("tests/run", usage=USAGE, allow_abbrev=False)
    add = parser.add_argument
    add("--all", action="store_true", help="a skip is a failure; unit tests on every Python here")
    add("--slow", action="store_true", help="the long forms of proofs too")
    add("--checks", action="store_true", help="only format, lint, types, imports and shell checks")
    add("--cov", action="store_true", help="measure the coverage of agent/ (part of a plain --all)")
    return parser.parse_known_args(argv)


def main(argv: Sequence[str]) -> int:
    options, rest = parse(argv)
    started = time.monotonic()
    progress = Progress(ROOT)
    suite = Suite(progress, everything=options.all, slow=options.slow)
    try:
        python = prepare(progress, environment.current(), "dev")
        if not rest:
            check(progress, python)
        if rest:
            suite.chosen(python, rest, coverage=options.cov)
        elif not options.checks:
            test(progress, suite, python, coverage=options.cov or options.all)
    except environment.SetupError as failure:
        print(f"tests/run: {failure}", file=sys.stderr)
        return 1
    return verdict(progress, suite, time.monotonic() - started)


def prepare(progress: Progress, python: Python, group: str, pip: str = "") -> str:
    with progress.step(f"environment for {python.version}"):
        return str(environment.ready(python, ROOT, group=group, pip=pip))


def check(progress: Progress, python: str) -> None:
    tool = str(Path(python).parent) + "/"
    scripts = shell.scripts(ROOT)
    progress.quietly("format (ruff)", [tool + "ruff", "format", "--check", "--diff"])
    progress.quietly("lint (ruff)", [tool + "ruff", "check"])
    progress.quietly("types (mypy)", [tool + "mypy"])
    progress.quietly("imports (import-linter)", [tool + "lint-imports", "--no-cache"])
    progress.quietly("shell (shellcheck)", [tool + "shellcheck", "-x", *scripts])
    progress.quietly("shell format (shfmt)", [tool + "shfmt", "-d", *scripts])


def test(progress: Progress, suite: Suite, python: str, *, coverage: bool) -> None:
    if coverage:
        suite.forget_coverage(python)
    suite.whole(python, coverage=coverage)
    if coverage:
        suite.report_coverage(python, enforce=True)
    if suite.everything:
        check_oldest_parser(progress, python)
        for other in environment.others():
            if other.version == environment.AGENT_ALONE:  # whose pip is older too
                inside = prepare(progress, other, environment.AGENT_GROUP)
                suite.units(other.version, inside, [AGENT])
            else:
                inside = prepare(progress, other, "test", python)
                both = other.version in environment.COLLECTOR_ENDS
                suite.units(other.version, inside, [AGENT, COLLECTOR] if both else [AGENT])


def verdict(progress: Progress, suite: Suite, seconds: float) -> int:
    for line in suite.skips():
        print(line)
    if progress.failed:
        print(f"FAILED in {seconds:.0f} s: {', '.join(progress.failed)}")
    else:
        print(f"all well in {seconds:.0f} s")
    if suite.counts:
        print(suite.closing_line())
    return 1 if progress.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
