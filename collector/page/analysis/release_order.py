"""Versions in the order of their releases: 1.9 before 1.10, and 2.0-rc1 before 2.0."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_PART = re.compile(r"\d+|[a-z]+")
_ZEROS = re.compile(r"(\.0+)+(?![.\d])")  # 1.2 and 1.2.0 are one release
_NUMBERED = re.compile(r"v?\d")
_EARLY = ("dev", "snapshot", "nightly", "a", "alpha", "b", "beta", "c", "rc", "pre", "preview")
_LONGEST_NUMBER = 18
# A version with fewer runs than this, and a smaller share, is an outlier of a period with as many runs.
FEW_RUNS, SMALL_SHARE, MANY_RUNS = 3, 0.01, 100

OrderKey = tuple[bool, tuple[tuple[int, int, str], ...]]


def release_key(version: str) -> OrderKey:
    """Sorts versions in the order of their releases; a text without a number at its beginning comes first."""
    text = _ZEROS.sub("", version.lower())
    parts = [_part(part) for part in _PART.findall(text.removeprefix("v"))]
    return is_numbered(text), (*parts, (0, 0, ""))


def is_numbered(version: str) -> bool:
    """Whether it begins as versions do."""
    return bool(_NUMBERED.match(version.lower()))


def in_release_order(versions: Iterable[str]) -> list[str]:
    """The latest release first."""
    return sorted(versions, key=lambda one: (release_key(one), one), reverse=True)


def outliers(runs: Mapping[str, int]) -> set[str]:
    """Versions that are hardly a release, by their runs: they have no number, or next to nobody has them."""
    total = sum(runs.values())
    return {
        version
        for version, n in runs.items()
        if not is_numbered(version) or (total >= MANY_RUNS and n < FEW_RUNS and n < SMALL_SHARE * total)
    }


def _part(part: str) -> tuple[int, int, str]:
    if part.isdigit():
        return (1, int(part[:_LONGEST_NUMBER]), "")
    return (-1, _EARLY.index(part), "") if part in _EARLY else (1, -1, part)
