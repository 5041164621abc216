from __future__ import annotations

import pytest

from agent.config import consent
from agent.config.envfile import EnvFile, Line

FLAGS = ["DO_NOT_TRACK", "DISABLE_TELEMETRY", "APPSMITH_DISABLE_TELEMETRY", "_DISABLE_TELEMETRY"]


@pytest.mark.parametrize("name", FLAGS)
def test_every_refusal_counts_whoevers_product_it_was_meant_for(name: str) -> None:
    decision = consent.decision_from_environment({"PATH": "/bin", name: "1"})
    assert decision is not None
    assert (decision.sending, decision.rule) == (False, "flag")
    assert decision.source == f"{name} in the environment"
    assert not decision.passing


def test_an_environment_without_a_refusal_decides_nothing() -> None:
    environ = {"DO_NOT_TRACK": "0", "NO_TELEMETRY": "1", "do_not_track": "1"}
    assert consent.decision_from_environment(environ) is None


def an_env_file(*flags: tuple[str, str | None]) -> EnvFile:
    file = EnvFile("/x/docker.env", trusted=True)
    file.flags = [Line(name, value, number) for number, (name, value) in enumerate(flags, 1)]
    return file


@pytest.mark.parametrize(
    ("flags", "rule", "source"),
    [
        ([("DO_NOT_TRACK", "1")], "flag", "/x/docker.env:1"),
        ([("A_DISABLE_TELEMETRY", "no"), ("DO_NOT_TRACK", None)], "bare-flag", "/x/docker.env:2"),
        ([("DO_NOT_TRACK", "no"), ("DO_NOT_TRACK", "no")], "duplicate-flag", "/x/docker.env:2"),
        ([("DO_NOT_TRACK", "no"), ("DO_NOT_TRACK", "1")], "flag", "/x/docker.env:2"),
    ],
)
def test_a_flag_in_a_file_is_named_by_file_and_line(
    flags: list[tuple[str, str | None]], rule: str, source: str
) -> None:
    decision = consent.decision_from_files([an_env_file(*flags)])
    assert (decision.sending, decision.rule, decision.source) == (False, rule, source)


def test_different_flags_that_all_say_no_do_not_silence() -> None:
    decision = consent.decision_from_files([an_env_file(("DO_NOT_TRACK", "0"), ("DISABLE_TELEMETRY", "off"))])
    assert (decision.sending, decision.rule, decision.source) == (True, "no-flag", None)
    assert repr(decision) == "Decision(sending=True, rule='no-flag', source=None)"


def test_a_file_that_was_read_before_and_is_gone_is_a_passing_silence() -> None:
    decision = consent.decision_from_files([], seen=["/", "/nowhere/docker.env"])
    assert (decision.rule, decision.source, decision.passing) == ("gone", "/nowhere/docker.env", True)
    assert consent.decision_from_files([], seen=["/"]).sending


def test_a_decision_says_why_in_words() -> None:
    assert str(consent.Decision(sending=True, rule="no-flag", source=None)) == "no flag is set"
    silent = consent.Decision(sending=False, rule="flag", source="/x/docker.env:1")
    assert str(silent) == "a flag is set (/x/docker.env:1)"


def test_every_rule_has_words() -> None:
    rules = {
        "no-flag",
        "flag",
        "unreadable",
        "too-large",
        "unparsable",
        "bare-flag",
        "duplicate-flag",
        "gone",
    }
    assert set(consent.RULES) == rules
