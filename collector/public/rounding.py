"""Which numbers may be public, so that none of them speaks of fewer than LEAST instances that were sent.

A number is published once a week and never changed afterwards. It is a multiple of LEAST. It is kept while
fewer than LEAST instances lie between the count that it was made from and the count now. A different number
is published only if at least LEAST instances lie between the counts that the two were made from, for every
number that ever stood in its place. So neither a number nor the difference of two tells of a few instances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from collector.base.plain import is_plain_system, is_plain_version
from collector.store.words import OTHER

LEAST = 10
# A rate is rounded down to so many percent, and needs so many instances that tried.
RATE_STEP, LEAST_TRIED = 5, 20
# Versions or systems with a number of their own.
MOST_WORDS = 20
KINDS = ("version", "system")

# What a number is about: `active`, `success`, or a kind and its word.
Place = tuple[str, str]
TOTAL: Place = ("active", "")
SUCCESS: Place = ("success", "")


@dataclass(frozen=True)
class Cell:
    """A public number, and the counts that it was made from, which are not public."""

    value: int
    made_from: int
    of: int = 0


@dataclass(frozen=True)
class Truth:
    """What is so in a week: active instances, and how many of those that tried an install succeeded."""

    active: int
    tried: int
    succeeded: int
    words: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # active ones, by kind and word


Past = Mapping[Place, Sequence[Cell]]


def public_cells(truth: Truth, past: Past) -> dict[Place, Cell]:
    """The numbers of a week; `past` is all that was published before."""
    cells: dict[Place, Cell | None] = {TOTAL: count_cell(truth.active, past.get(TOTAL, ()))}
    cells[SUCCESS] = rate_cell(truth.tried, truth.succeeded, past.get(SUCCESS, ()))
    for kind, words in truth.words.items():
        cells |= _listed(kind, words, truth.active, past)
    return {place: cell for place, cell in cells.items() if cell}


def count_cell(count: int, past: Sequence[Cell]) -> Cell | None:
    """The number for a count of instances; None if there may be none."""
    if count < LEAST:
        return None
    if past and abs(count - past[-1].made_from) < LEAST:
        return past[-1]
    made = Cell(count - count % LEAST, count)
    return made if all(_may_differ(made, one) for one in past) else None


def rate_cell(tried: int, succeeded: int, past: Sequence[Cell]) -> Cell | None:
    """The percentage of instances on which an install succeeded, or less; None if there may be none.

    At least LEAST instances count as failed: so 100 % is never said, and nothing of a few that failed.
    """
    failed = max(tried - succeeded, LEAST)
    if tried < LEAST_TRIED or tried - failed < LEAST:
        return None
    if past and abs(failed - past[-1].made_from) < LEAST and abs(tried - past[-1].of) < LEAST:
        return past[-1]
    percent = 100 * (tried - failed) // tried
    made = Cell(percent - percent % RATE_STEP, failed, tried)
    return made if all(_may_differ(made, one) for one in past) else None


def _listed(kind: str, words: Mapping[str, int], active: int, past: Past) -> dict[Place, Cell | None]:
    """The numbers of the most frequent words, and of all others together."""
    found: dict[Place, Cell | None] = {}
    rest, is_plain = active, is_plain_version if kind == "version" else is_plain_system
    for word, count in sorted(words.items(), key=lambda item: (-item[1], item[0])):
        if (
            is_plain(word)
            and len(found) < MOST_WORDS
            and (cell := count_cell(count, past.get((kind, word), ())))
        ):
            found[kind, word] = cell
            rest -= count
    found[kind, OTHER] = count_cell(rest, past.get((kind, OTHER), ()))
    return found


def _may_differ(made: Cell, other: Cell) -> bool:
    """Whether two numbers are the same, or were made from counts that are far enough apart."""
    apart = max(abs(made.made_from - other.made_from), abs(made.of - other.of))
    return made.value == other.value or apart >= LEAST
