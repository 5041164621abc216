"""Answers about a large fleet are cached for a while: a view asks several such questions, which take long."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar, cast

from collector.store.clickhouse.part import ClickHousePart

# A fleet of so many instances is large.
LARGE = 50_000
# An answer that took longer than this is cached for so many times as long as it took.
QUICK_SECONDS, CACHED_TIMES, LONGEST_SECONDS = 0.05, 20, 60.0
MOST_CACHED = 1000

_Part = TypeVar("_Part", bound=ClickHousePart)
_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")


def cached_if_large(
    question: Callable[Concatenate[_Part, int, _Given], _Answer],
) -> Callable[Concatenate[_Part, int, _Given], _Answer]:
    """A question about a source whose answer is cached, if its fleet is large."""

    @wraps(question)
    def ask(part: _Part, source: int, *given: _Given.args, **named: _Given.kwargs) -> _Answer:
        key = (question.__name__, source, part.environment, given, *sorted(named.items()))
        cached, began = part.cached_answers, time.monotonic()
        until, answer = cached.get(key, (0.0, None))
        if until < began:
            answer = question(part, source, *given, **named)
            took = time.monotonic() - began
            cached.pop(key, None)
            if took > QUICK_SECONDS and part.instances_of(source) >= LARGE:
                if len(cached) >= MOST_CACHED:
                    cached.clear()
                cached[key] = (began + took + min(CACHED_TIMES * took, LONGEST_SECONDS), answer)
        return cast("_Answer", copy(answer))

    return cast("Callable[Concatenate[_Part, int, _Given], _Answer]", ask)
