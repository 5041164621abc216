"""Which of two versions is the later one, whatever scheme they follow: PEP 440, semver or a calendar.

A version is its numbers, and then what follows them. `alpha`, `beta`, `rc` and the like come before the
version that they lead to, `post`, `p` and the like after it. A word that says nothing about order (`ee`,
`final`) is left out, as are build metadata after a `+` and a hash of git's.
"""

from __future__ import annotations

import re

LONGEST = 64
"""Characters of a version."""

_WORDS = {
    -6: ("dev", "nightly", "snapshot"),
    -5: ("alpha", "a"),
    -4: ("beta", "b"),
    -3: ("milestone", "m", "preview", "pre"),
    -2: ("c", "rc"),
    1: ("post", "rev", "r", "patch", "p", "pl", "sp", "hotfix", "update", "u"),
}
_RANKS = {word: rank for rank, words in _WORDS.items() for word in words}
_TILDE, _END, _LETTER, _NUMBER = -7, 0, 2, 3
_EPOCH = re.compile(r"(\d+)!(.*)")
_DATE = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)")
_HASH = re.compile(r"[-.]g?[0-9a-f]*[a-f][0-9a-f]*\Z")
_LEAST_HASH = 8
_NUMBERS = re.compile(r"\D*?(\d+(?:\.\d+)*)")
# In what follows: a word and perhaps its number, or a number alone; `~` comes before everything.
_PART = re.compile(r"~|([a-z]+)[-._]?(\d+)?|(\d+)")

VersionKey = tuple[int, tuple[int, ...], tuple[tuple[int, int], ...]]


def version_key(text: str) -> VersionKey:
    """What versions are compared by; ValueError for one without a number, or one that is too long."""
    if len(text) > LONGEST or not text.isascii():
        raise ValueError(text)
    plain = text.strip().lower().partition("+")[0]
    epoch = 0
    if begun := _EPOCH.fullmatch(plain):
        epoch, plain = int(begun[1]), begun[2]
    hashed = _HASH.search(plain)
    if hashed and len(hashed[0]) >= _LEAST_HASH:
        plain = plain[: hashed.start()]
    plain = _DATE.sub(r"\1.\2.\3", plain)
    numbers = _NUMBERS.match(plain)
    if numbers is None:
        raise ValueError(text)
    release = [int(number) for number in numbers[1].split(".")]
    while len(release) > 1 and not release[-1]:
        release.pop()
    return epoch, tuple(release), (*_parts(plain[numbers.end() :]), (_END, 0))


def is_later(one: str, other: str) -> bool:
    """Whether the first is a later version than the second."""
    return version_key(one) > version_key(other)


def in_range(version: str, wanted: str) -> bool:
    """Whether a version meets all conditions, such as `>=1.2 <1.4.1`; ValueError for what is none."""
    conditions = [_condition(each) for each in wanted.split()]
    if not conditions:
        raise ValueError(wanted)
    key = version_key(version)
    return all(_COMPARE[sign](key, bound) for sign, bound in conditions)


_COMPARE = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
    "=": lambda one, other: one == other,
}


def _condition(text: str) -> tuple[str, VersionKey]:
    found = re.fullmatch(r"(<=|>=|<|>|=)?(.+)", text)
    if found is None:
        raise ValueError(text)
    return found[1] or "=", version_key(found[2])


def _parts(rest: str) -> list[tuple[int, int]]:
    """What follows the numbers, as (rank, number) each."""
    if re.fullmatch(r"[a-z]", rest):  # 1.1.1w, which follows 1.1.1v
        return [(_LETTER, ord(rest))]
    parts = []
    for found in _PART.finditer(rest):
        word, number, alone = found.groups()
        if found[0] == "~":
            parts.append((_TILDE, 0))
        elif alone:
            parts.append((_NUMBER, int(alone)))
        elif word in _RANKS:
            parts.append((_RANKS[word], int(number or 0)))
        elif number:
            parts.append((_NUMBER, int(number)))
    return parts
