"""Which words get a place on a day.

A day begins with the words that the day before used, so that a flood of new words displaces none of them.
New words get what is free, first come, first served.

A decision is final: a word that got a place keeps it, and none becomes free on that day. So a number is
always taken back from where it was added, and a recount that asks here again gives the same numbers. A purge
counts words as OTHER that nothing has any more. It closes their day for new ones, by OTHER among its words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

from collector.store.dialect import Executes
from collector.store.words import MOST_WORDS, OTHER, Word

_Day = tuple[int, str, int]


class TakesTurns(Executes, Protocol):
    """A transaction that other writers of a source can be kept out of."""

    def wait_for_turn(self, source: int) -> None:
        """Wait until no other transaction that has this source's turn is open, and take it."""


def admit_words(tx: TakesTurns, wanted: Iterable[Word]) -> set[Word]:
    """Those of the words that are counted by themselves, after giving places to new ones."""
    days: defaultdict[_Day, set[str]] = defaultdict(set)
    for source, kind, day, text in wanted:
        if text != OTHER:
            days[source, kind, day].add(text)
    return {(*day, text) for day in sorted(days) for text in _admit(tx, day, days[day])}


def placed_words(tx: TakesTurns, wanted: Iterable[Word]) -> set[Word]:
    """Those of the words that are counted by themselves; none gets a place."""
    days: defaultdict[_Day, set[str]] = defaultdict(set)
    for source, kind, day, text in wanted:
        days[source, kind, day].add(text)
    return {(*day, text) for day in sorted(days) for text in days[day] & _places(tx, day).keys()}


def _admit(tx: TakesTurns, day: _Day, texts: set[str]) -> set[str]:
    places = _places(tx, day)
    if OTHER in places:  # the day is closed
        return texts & places.keys()
    if len(places) < MOST_WORDS and not texts <= places.keys():
        tx.wait_for_turn(day[0])
        places = _places(tx, day) or _begin_day(tx, day)
        free = MOST_WORDS - len(places)
        places.update((text, 0) for text in sorted(texts - places.keys())[:free])
    admitted = texts & places.keys()
    for text in sorted(admitted):
        if not places[text]:
            tx.execute(_USE, *day, text)
    return admitted


def _places(tx: TakesTurns, day: _Day) -> dict[str, int]:
    """The words of a day, and whether each was used."""
    return dict(tx.all("SELECT word, used FROM words WHERE source = ? AND kind = ? AND day = ?", *day))


def _begin_day(tx: TakesTurns, day: _Day) -> dict[str, int]:
    source, kind, number = day
    tx.execute(_KEEP, source, kind, number - 1)
    return _places(tx, day)


_USE = (
    "INSERT INTO words (source, kind, day, word, used) VALUES (?, ?, ?, ?, 1)"
    " ON CONFLICT (source, kind, day, word) DO UPDATE SET used = 1"
)
_KEEP = (
    "INSERT INTO words (source, kind, day, word, used)"
    " SELECT source, kind, day + 1, word, 0 FROM words WHERE source = ? AND kind = ? AND day = ? AND used = 1"
)
