"""The table of shapes: every rule finds and spares what its examples say."""

import time

import pytest

from agent.bundle.redact import Redactor
from agent.bundle.rules import RULES, Rule, secret_spans

FINDS = [(rule, line, secret) for rule in RULES for line, secret in rule.finds]
SPARES = [(rule, line) for rule in RULES for line in rule.spares]


def secrets(rule: Rule, line: str) -> list[str]:
    return [line[start:end] for start, end in secret_spans(rule, line)]


@pytest.mark.parametrize(("rule", "line", "secret"), FINDS)
def test_a_rule_finds_its_examples(rule: Rule, line: str, secret: str) -> None:
    assert secrets(rule, line) == [secret]
    assert any(hint in line.lower() for hint in rule.hints)
    (redacted,) = Redactor([]).redact([line])
    assert secret not in redacted


@pytest.mark.parametrize(("rule", "line"), SPARES)
def test_a_rule_spares_what_is_no_secret(rule: Rule, line: str) -> None:
    assert secrets(rule, line) == []


def test_every_rule_has_examples_of_both_kinds() -> None:
    assert all(rule.finds and rule.spares for rule in RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(
    "piece",
    [
        *("a", "=", "-p ", "://", "token=", "-----BEGIN PRIVATE KEY-----", "a@a.", "bearer ", "eyJ", '\\"'),
        *("<", "<token", "curl -u ", "login ", "redis-cli ", "token: |\n "),
    ],
)
def test_no_rule_takes_much_longer_for_a_hostile_line(piece: str) -> None:
    def seconds(line: str) -> float:
        began = time.process_time()
        for rule in RULES:
            list(secret_spans(rule, line))
        return time.process_time() - began

    small, large = (piece * (size // len(piece)) for size in (20_000, 80_000))
    assert seconds(large) < 12 * max(seconds(small), 0.05), "four times the length, and not sixteen the time"
