"""Every script of the corpus, bare and wrapped: nothing differs, and what is reported is true."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests import bashes
from tests.agent.wrapper.failure.corpus import truth
from tests.agent.wrapper.failure.corpus.stage import Stage
from tests.agent.wrapper.failure.corpus.truth import Case, Found
from tests.conftest import missing

TESTDATA = Path(__file__).parent / "testdata"
BASH = truth.cases(TESTDATA / "bash")
SH = truth.cases(TESTDATA / "sh")
PLACES, PROGRAMS, SH_PROGRAMS = 0.95, 0.80, 0.70


class Score:
    """Counts what was reported, and keeps a table of what was not as it should be."""

    def __init__(self) -> None:
        self.places: Counter[str] = Counter()
        self.programs: Counter[str] = Counter()
        self.table: list[str] = []

    def add(self, case: Case, found: Found) -> None:
        verdict = case.judge(found)
        self.places[verdict.place] += 1
        self.programs[verdict.program] += 1
        if {verdict.place, verdict.program} & {"missed", "false"}:
            said = f"place {verdict.place or 'fine'}, program {verdict.program or 'fine'}"
            self.table.append(f"{case.name:<42} {said:<36} said {found}; true is {case.truth()}")

    def print(self) -> None:
        print("", *self.table, sep="\n")
        for name, counts in ("places", self.places), ("programs", self.programs):
            print(f"{name}: {counts['true']} true, {counts['missed']} missed, {counts['false']} false")


def share(counts: Counter[str]) -> float:
    wanted = counts["true"] + counts["missed"]
    return counts["true"] / wanted if wanted else 1.0


def observe(stage: Stage, cases: list[Case]) -> Score:
    """All of them before one look at what was reported: two processes a script are saved."""
    for case in cases:
        assert stage.observed(case) == stage.alone(case), case.name
    score, reports = Score(), list(stage.reports())
    assert len(reports) == len(cases)
    for case, found in zip(cases, reports):
        score.add(case, found)
    score.print()
    return score


def judge_bash(base: Path, bash: str, cases: list[Case], *, every: int = 0) -> None:
    score = observe(Stage(base, bash, every=every), cases)
    assert score.places["false"] == score.programs["false"] == 0
    assert share(score.places) >= PLACES
    assert share(score.programs) >= PROGRAMS


@pytest.mark.once
@pytest.mark.needs("bash")
@pytest.mark.timeout(600)
def test_the_failing_step_of_every_script_is_true(tmp_path: Path) -> None:
    judge_bash(tmp_path, shutil.which("bash") or "", BASH, every=6)


@pytest.mark.once
@pytest.mark.needs("bashes")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", bashes.VERSIONS)
def test_it_is_true_with_other_versions_of_bash(tmp_path: Path, version: str, *, slow: bool) -> None:
    bash = bashes.find(version) or missing("bashes", f"no bash {version}")
    judge_bash(tmp_path, bash, BASH if slow else BASH[::3])


@pytest.mark.once
@pytest.mark.needs("root", "dash")
def test_the_failing_program_of_a_script_of_sh_is_true(tmp_path: Path) -> None:
    """The place is not asked for; the program is, wherever one failed."""
    score = observe(Stage(tmp_path, "/bin/bash", every=1), SH)
    wanted = [case for case in SH if any(step.program_wanted for step in case.steps.values())]
    assert score.places["false"] == score.programs["false"] == 0
    assert score.programs["true"] >= SH_PROGRAMS * len(wanted)


def test_the_corpus_is_large_and_says_what_is_true() -> None:
    wanted = [case for case in BASH if case.place_wanted]
    assert len(wanted) >= 120
    assert len([case for case in BASH if not case.steps]) >= 20
    assert len([case for case in wanted if any(step.program_wanted for step in case.steps.values())]) >= 60
