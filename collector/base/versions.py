"""The order of version numbers, as far as they have one."""

from __future__ import annotations

import re

_PART = re.compile(r"[0-9]{1,18}|[A-Za-z]+")
# A word sorts below the end of a version, and that below a number: 1.2-rc1, 1.2, 1.2.1.
_WORD, _END, _NUMBER = range(3)

VersionKey = tuple[tuple[int, int, str], ...]


def version_key(text: str) -> VersionKey:
    """Sorts versions: 1.9 comes before 1.10, and 1.2-rc1 before 1.2."""
    parts = _PART.findall(text.removeprefix("v").partition("+")[0])
    keys = [(_NUMBER, int(part), "") if part.isdigit() else (_WORD, 0, part.lower()) for part in parts]
    return (*keys, (_END, 0, ""))
