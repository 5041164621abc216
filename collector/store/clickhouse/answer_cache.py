"""Numbers about a large fleet are kept for a while: a view asks for many, and each takes long to count.

What is kept for long is renewed in the background while it is shown, and whoever shows it can tell its age
(`counted_until`). What nobody asked for in a while is counted anew. Lists are never kept: they have ids.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sized
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from functools import partial, wraps
from inspect import signature
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from collector.store.errors import StoreError

# A fleet of so many instances is large.
LARGE = 50_000
# An answer that took longer than this is renewed after so many times as long as it took, or after a minute.
QUICK_SECONDS, RENEWED_TIMES, RENEWED_SECONDS = 0.02, 20, 60.0
# An older answer is not shown.
OLDEST_SECONDS = 600.0
# So many answers are kept, of so many entries each: strangers make up any number of names.
MOST_KEPT, LONGEST = 1000, 10_000

_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer", bound=Sized)


@dataclass(frozen=True)
class KeptAnswer:
    """An answer, when it began to be counted, and when it is to be renewed."""

    answer: Any
    at: int  # milliseconds since 1970
    began: float
    due: float


class KeptAnswers:
    """What a store keeps. Its threads share it; one more thread renews, an answer at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock, self._kept = threading.Lock(), dict[Any, KeptAnswer]()
        self._renewing, self._drops = set[Any](), 0
        self._renewer = ThreadPoolExecutor(1, "answers")  # has no thread until the first renewal

    def find(self, key: object) -> KeptAnswer | None:
        """What is kept, unless it is too old."""
        found = self._kept.get(key)
        return found if found and self.clock() - found.began <= OLDEST_SECONDS else None

    def count(self, key: object, question: Callable[[], _Answer], is_large: Callable[[], bool]) -> _Answer:
        """Ask anew; keep the answer if that took long, unless something was dropped meanwhile."""
        drops, at, began = self._drops, time.time_ns() // 1_000_000, self.clock()
        answer = question()
        took = self.clock() - began
        wanted = took > QUICK_SECONDS and len(answer) <= LONGEST and is_large()
        due = began + took + min(RENEWED_TIMES * took, RENEWED_SECONDS)
        with self._lock:
            self._kept.pop(key, None)
            if wanted and drops == self._drops:
                if len(self._kept) >= MOST_KEPT:
                    self._kept.clear()
                self._kept[key] = KeptAnswer(deepcopy(answer), at, began, due)
        return answer

    def renew(self, key: object, count: Callable[[], object]) -> None:
        """Count in the background, if nobody does."""

        def renew() -> None:
            try:
                with suppress(StoreError):  # then whoever asks next tries again
                    count()
            finally:
                with self._lock:
                    self._renewing.discard(key)

        with self._lock:
            if key in self._renewing:
                return
            self._renewing.add(key)
        with suppress(RuntimeError):  # the store is being closed
            self._renewer.submit(renew)

    def drop(self) -> None:
        """Drop all, and also what is being counted."""
        with self._lock:
            self._kept.clear()
            self._drops += 1

    def close(self) -> None:
        """End the thread after what it is doing."""
        self._renewer.shutdown(cancel_futures=True)


class _Keeper(Protocol):
    """Whose questions these are."""

    answers: KeptAnswers
    environment: str

    def instances_of(self, source: int) -> int: ...

    def note_kept(self, at: int) -> None: ...


_Part = TypeVar("_Part", bound=_Keeper)


def kept_if_large(
    question: Callable[Concatenate[_Part, int, _Given], _Answer],
) -> Callable[Concatenate[_Part, int, _Given], _Answer]:
    """A question about a source whose answer is kept, if its fleet is large.

    An argument `now` does not tell two questions apart: the answer is of the moment at which it was counted.
    """
    parameters = signature(question)

    @wraps(question)
    def ask(part: _Part, source: int, *given: _Given.args, **named: _Given.kwargs) -> _Answer:
        told = parameters.bind(part, source, *given, **named).arguments.items()
        words = [repr(value) for name, value in told if name not in ("self", "now")]
        key, kept = (question.__name__, part.environment, *words), part.answers

        def count() -> _Answer:
            return kept.count(key, partial(question, part, source, *given, **named), is_large)

        def is_large() -> bool:
            return part.instances_of(source) >= LARGE

        found = kept.find(key)
        if found is None:
            return count()
        if found.due < kept.clock():
            kept.renew(key, count)
        part.note_kept(found.at)
        shown: _Answer = deepcopy(found.answer)
        return shown

    return cast("Callable[Concatenate[_Part, int, _Given], _Answer]", ask)
