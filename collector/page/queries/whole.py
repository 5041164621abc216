"""Whole lists, read piece by piece: no transaction stays open between two pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

One = TypeVar("One")
End = TypeVar("End")


def read_on(
    ask: Callable[[End], Sequence[One]], start: End, end_of: Callable[[One], End]
) -> Iterator[Sequence[One]]:
    """The pages of a list, each from where the one before ended."""
    end = start
    while found := ask(end):
        yield found
        end = end_of(found[-1])


def follow(ask: Callable[[End], tuple[Sequence[One], End | None]], start: End) -> Iterator[Sequence[One]]:
    """The pages of a list that says where it goes on."""
    end: End | None = start
    while end is not None:
        found, end = ask(end)
        yield found
