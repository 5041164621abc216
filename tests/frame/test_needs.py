"""The plugin in tests/conftest.py, driven in a pytest of its own."""

import json
from pathlib import Path

import pytest

from tests import environ, parts

ROOT = Path(__file__).resolve().parents[2]

TESTS = """
import pytest
from tests import conftest, parts

parts.PARTS["unicorn"] = parts.Part(lambda: False, ("libunicorn",), "or wait")
parts.PARTS["weather"] = parts.Part(lambda: False, hint="try tomorrow", soft=True)
parts.PARTS["here"] = parts.Part(lambda: True)

@pytest.mark.needs("here")
def test_that_can_run():
    pass
"""
HARD = """
@pytest.mark.needs("here", "unicorn")
def test_that_cannot_run():
    raise AssertionError
"""
SOFT = """
def test_whose_mirror_is_down():
    conftest.missing("weather", "no answer in 5 s")
"""
BY_HAND = """
def test_skipped_by_hand():
    pytest.skip("feeling lazy")
"""


@pytest.fixture(autouse=True)
def _unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(environ.COVERAGE, raising=False)


def run(pytester: pytest.Pytester, text: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(text)
    pytester.makeini("[pytest]\nmarkers =\n    needs\n    slow\nfilterwarnings = error\n")
    pytester.syspathinsert(ROOT)
    return pytester.runpytest_subprocess("-p", "tests.conftest", *options)


def test_a_missing_part_is_skipped_and_named_with_how_to_get_it(
    pytester: pytest.Pytester,
) -> None:
    result = run(pytester, TESTS + HARD)

    result.assert_outcomes(passed=1, skipped=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["skipped: 1 × needs unicorn", "to get unicorn: apt-get install libunicorn; or wait"]
    )


@pytest.mark.parametrize(
    ("skip", "workers"),
    [(HARD, []), (BY_HAND, []), (HARD, ["-n", "1"])],
    ids=["a part", "by hand", "seen by a worker"],
)
def test_with_all_a_skip_is_a_failure(pytester: pytest.Pytester, skip: str, workers: list[str]) -> None:
    assert run(pytester, TESTS + skip, "--all", *workers).ret == pytest.ExitCode.TESTS_FAILED


def test_with_all_nothing_skipped_is_no_failure(pytester: pytest.Pytester) -> None:
    assert run(pytester, TESTS, "--all").ret == 0


def test_a_soft_part_is_listed_and_fails_nothing(pytester: pytest.Pytester) -> None:
    result = run(pytester, TESTS + SOFT, "--all")

    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["skipped: 1 × needs weather (no answer in 5 s)", "to get weather: try tomorrow"]
    )


def test_a_part_that_is_not_in_the_table_is_refused(pytester: pytest.Pytester) -> None:
    result = run(pytester, TESTS + HARD.replace("unicorn", "unicron"))

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*needs 'unicron': not in tests/parts.py"])


def test_the_long_forms_run_only_when_asked_for(pytester: pytest.Pytester) -> None:
    text = """
    import pytest

    @pytest.mark.slow
    def test_long():
        pass

    def test_of_two_lengths(slow):
        print("slow is", slow)
    """
    short = run(pytester, text, "-s")
    short.assert_outcomes(passed=1, deselected=1)
    short.stdout.fnmatch_lines(["*slow is False*"])
    long = run(pytester, text, "-s", "--slow")
    long.assert_outcomes(passed=2)
    long.stdout.fnmatch_lines(["*slow is True*"])


def test_the_tally_counts_what_the_session_came_to(pytester: pytest.Pytester) -> None:
    run(pytester, TESTS + HARD + SOFT, "-n", "1", "--tally", "tally")

    tally = json.loads((pytester.path / "tally").read_text())
    assert tally == {
        "counts": {"passed": 1, "failed": 0, "error": 0},
        "skips": {"needs unicorn": 1, "needs weather (no answer in 5 s)": 1},
    }


def test_every_part_says_how_to_get_it() -> None:
    assert [name for name, part in parts.PARTS.items() if not part.how] == []
