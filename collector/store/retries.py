"""Tries a transaction again that is certain not to have happened: the one place that does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import ParamSpec, TypeVar

from collector.store.errors import Undone

# Nobody waits between them: where no server answers, that is told at once, and the client tries again.
TRIES = 5

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def with_retries(work: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """A function that is tried again if its transaction was undone; at last, the error is the caller's.

    For one that changes a store in one transaction at most, or where each may be repeated.
    """

    @wraps(work)
    def repeated(*values: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        for _ in range(TRIES - 1):
            with suppress(Undone):
                return work(*values, **named)
        return work(*values, **named)

    return repeated
