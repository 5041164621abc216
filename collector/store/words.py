"""Words: texts that a client chose and that are counted by themselves; all others count as OTHER.

A word is the name of an event, a version, a system, or the place of a failure. A day of a source has
MOST_WORDS places for each kind.
"""

from __future__ import annotations

MOST_WORDS = 200
OTHER = "(other)"
# How an empty word is told; a client may send this text, too.
UNKNOWN = "unknown"

Word = tuple[int, str, int, str]  # source, kind, day, text


def told_alike(word: str) -> tuple[str, str]:
    """The words that are told in the same way as one: they are listed together."""
    return word, word or UNKNOWN
