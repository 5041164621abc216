"""The order of versions, for PEP 440, SemVer and calendar versions alike.

A version is its numbers (`1.4.2`, `2024.10`), then what follows them, word by word. Words before the numbers
(`v`, `release-`) do not count, nor do trailing zeros: `1.4` is `1.4.0`.

    1.0.dev1 < 1.0-alpha < 1.0-alpha.1 < 1.0b2 < 1.0-nightly < 1.0-rc.1 < 1.0 < 1.0-1 < 1.0.post1 < 1.1

Before the release come `dev`, `alpha`, `beta`, any word that is not known, and `rc`. After it come a bare
number and `post`, `patch` and the like. What follows a `+` decides only between versions that are otherwise
equal. Two things differ from SemVer: a bare number after a hyphen comes after the release, as in PEP 440
and in packages of Debian, and `rc10` comes after `rc9`.
"""

from __future__ import annotations

import operator
import re

PARTS = re.compile(r"[0-9]+|[a-z]+")
NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+)*")
EPOCH = re.compile(r"[a-z]*([0-9]+)!")

DEV, ALPHA, BETA, UNKNOWN, CANDIDATE, RELEASE, NUMBER, AFTER = range(-5, 3)
PHASES = {
    "dev": DEV,
    "a": ALPHA,
    "alpha": ALPHA,
    "b": BETA,
    "beta": BETA,
    "c": CANDIDATE,
    "rc": CANDIDATE,
    "pre": CANDIDATE,
    "preview": CANDIDATE,
    **dict.fromkeys(("post", "rev", "r", "p", "pl", "patch", "sp", "hotfix", "security"), AFTER),
}
FINAL = frozenset({"final", "ga", "release"})
"""Words that say no more than the numbers do."""

SIGNS = {"<=": operator.le, ">=": operator.ge, "==": operator.eq, "<": operator.lt, ">": operator.gt}

Token = tuple[int, str, int]
VersionKey = tuple[int, tuple[int, ...], tuple[Token, ...], tuple[Token, ...]]


def version_key(text: str) -> VersionKey:
    """What versions are compared by; ValueError for a text without a number."""
    version, _, local = text.strip().lower().partition("+")
    epoch = EPOCH.match(version)
    if epoch:
        version = version[epoch.end() :]
    numbers = NUMBERS.search(version)
    if numbers is None:
        raise ValueError(text)
    release = [int(number) for number in numbers[0].split(".")]
    while release and release[-1] == 0:
        release.pop()
    tail = _tail(version[numbers.end() :])
    return int(epoch[1]) if epoch else 0, tuple(release), tail, _rest(PARTS.findall(local))


def _tail(text: str) -> tuple[Token, ...]:
    """What follows the numbers, with an end that stands between what comes before and after a release."""
    words = [word for word in PARTS.findall(text) if word not in FINAL]
    first = () if not words else (_first(words[0]),)
    return (*first, *_rest(words[1:]), (RELEASE, "", 0))


def _first(word: str) -> Token:
    if word.isdigit():
        return (NUMBER, "", int(word))
    phase = PHASES.get(word, UNKNOWN)
    return (phase, word if phase == UNKNOWN else "", 0)


def _rest(words: list[str]) -> tuple[Token, ...]:
    """Later words only refine the first: all but `dev` come after nothing at all, numbers before words."""
    return tuple(_later(word) for word in words)


def _later(word: str) -> Token:
    if word.isdigit():
        return (NUMBER, "", int(word))
    if word == "dev":
        return (DEV, "", 0)
    phase = PHASES.get(word, UNKNOWN)
    return (AFTER, word if phase == UNKNOWN else f"{phase + 5}", 0)


def parse_range(text: str) -> list[tuple[str, VersionKey]]:
    """The comparisons of a range such as `>=1.0, <1.4.2`; `*` has none. ValueError for what is no range."""
    if text.strip() == "*":
        return []
    return [_comparison(part.strip()) for part in text.split(",")]


def in_range(version: VersionKey, text: str) -> bool:
    """Whether every comparison of the range holds for the version."""
    return all(SIGNS[sign](version, other) for sign, other in parse_range(text))


def _comparison(text: str) -> tuple[str, VersionKey]:
    sign = next((sign for sign in SIGNS if text.startswith(sign)), None)
    if sign is None:
        raise ValueError(text)
    return sign, version_key(text[len(sign) :])
