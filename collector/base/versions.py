"""Versions in the order of their releases: 1.9 before 1.10, and 2.0-rc1 before 2.0."""

from __future__ import annotations

import re

_PART = re.compile(r"\d+|[a-z]+")
_ZEROS = re.compile(r"(\.0+)+(?![.\d])")  # 1.2 and 1.2.0 are one release
_NUMBERED = re.compile(r"v?\d")
_NUMBERS = re.compile(r"\d+(?:\.\d+)*")
_EARLY = ("dev", "snapshot", "nightly", "a", "alpha", "b", "beta", "c", "rc", "pre", "preview")
_LONGEST_NUMBER = 18
_EARLY_KIND = -1
# Where a version ends; and where a number follows those of the release, as in 2.4-1.
_END, _BUILD = (0, 0, ""), (0, 1, "")

VersionKey = tuple[bool, tuple[tuple[int, int, str], ...]]


def version_key(version: str) -> VersionKey:
    """Sorts versions. A text that does not begin with a number comes first; what follows a + is not seen.

    2.4-1, a build of 2.4, comes after 2.4 and before 2.4.1.
    """
    text = _ZEROS.sub("", version.lower().partition("+")[0])
    plain = text.removeprefix("v")
    numbers = _NUMBERS.match(plain)
    end = numbers.end() if numbers else 0
    release, rest = ([_part(part) for part in _PART.findall(one)] for one in (plain[:end], plain[end:]))
    build = [_BUILD] if release and rest and rest[0] >= (1, 0, "") else []
    return is_numbered(text), (*release, *build, *rest, _END)


def is_numbered(version: str) -> bool:
    """Whether it begins as versions do."""
    return bool(_NUMBERED.match(version.lower()))


def is_same_release(one: str, other: str) -> bool:
    """Whether two texts spell one release: `v1.2` and `1.2.0`. Two builds of it, after a +, are two."""
    builds = (text.partition("+")[2] for text in (one, other))
    return version_key(one) == version_key(other) and len(set(builds)) == 1


def is_early(version: str) -> bool:
    """Whether it comes before a release: 2.0-rc1, 9.9.9-dev."""
    return any(kind == _EARLY_KIND for kind, _, _ in version_key(version)[1])


def _part(part: str) -> tuple[int, int, str]:
    if part.isdigit():
        return (1, int(part[:_LONGEST_NUMBER]), "")
    return (_EARLY_KIND, _EARLY.index(part), "") if part in _EARLY else (1, -1, part)
