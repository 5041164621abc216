"""Numbers about a large fleet are cached for a while: a view asks for many, and each takes long to count.

What is shown for long is counted anew in the background, and whoever shows it can tell its age
(`counted_until`). What nobody asked for in a while is counted before it is shown. Lists are never cached:
they have ids.
"""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial, wraps
from inspect import signature
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from collector.base.background import BackgroundJob
from collector.store.errors import StoreError

logger = logging.getLogger("rollcall.collector")

# A fleet of so many instances is large.
LARGE = 50_000
# What takes longer than this is counted anew after so many times as long as it took, or after a minute.
QUICK_SECONDS, RENEWED_TIMES, RENEWED_SECONDS = 0.02, 20, 60.0
# Older ones are not shown.
OLDEST_SECONDS = 600.0
# So many are cached, of so many bytes each and in all: strangers make up any number of names and addresses.
MOST_CACHED, LARGEST_BYTES, MOST_BYTES = 1000, 4 << 20, 32 << 20
# At the end, the counting in the background is waited for so long.
STOP_SECONDS = 2.0

_Given = ParamSpec("_Given")
_Numbers = TypeVar("_Numbers")


@dataclass(frozen=True)
class CachedNumber:
    """What a question was answered, when that began to be counted, and when it is to be counted anew.

    It is pickled: so nobody can change it, a copy is quick, and its size is known.
    """

    pickled: bytes
    at: int  # milliseconds since 1970
    began: float
    due: float


class CachedNumbers:
    """The cache of a store. Its threads share it; while one is due, one more thread counts it anew."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._cached = dict[Any, CachedNumber]()  # what was asked for last is the last
        self._drops = 0
        self._due = dict[Any, Callable[[], object]]()  # the first of them is being counted
        self._renewal: _Renewal | None = None
        self._closed = False

    def find(self, key: object) -> CachedNumber | None:
        """What is cached, unless it is too old."""
        with self._lock:
            found = self._cached.pop(key, None)
            if found is None or self.clock() - found.began > OLDEST_SECONDS:
                return None
            self._cached[key] = found
        return found

    def count(self, key: object, question: Callable[[], _Numbers], is_large: Callable[[], bool]) -> _Numbers:
        """Ask anew; cache it if that took long, unless all was dropped meanwhile."""
        drops, at, began = self._drops, time.time_ns() // 1_000_000, self.clock()
        numbers = question()
        took = self.clock() - began
        wanted = took > QUICK_SECONDS and is_large()
        pickled = pickle.dumps(numbers) if wanted else b""
        due = began + took + min(RENEWED_TIMES * took, RENEWED_SECONDS)
        with self._lock:
            self._cached.pop(key, None)
            if wanted and len(pickled) <= LARGEST_BYTES and drops == self._drops:
                self._cached[key] = CachedNumber(pickled, at, began, due)
                while len(self._cached) > MOST_CACHED or self._size() > MOST_BYTES:
                    del self._cached[next(iter(self._cached))]
        return numbers

    def renew(self, key: object, count: Callable[[], object]) -> None:
        """Count in the background, if nobody does or has done so by now."""
        with self._lock:
            found = self._cached.get(key)
            if self._closed or key in self._due or (found and found.due >= self.clock()):
                return
            self._due[key] = count
            if len(self._due) > 1:
                return
            self._renewal = _Renewal(self._count_due)
            self._renewal.start()

    def _count_due(self) -> float | None:
        """Count the first that is due: the step of a job that ends when nothing is left."""
        with self._lock:
            key, count = next(iter(self._due.items()))
        try:
            with suppress(StoreError):  # then whoever asks next tries again
                count()
        except Exception as error:  # noqa: BLE001 - the others must be counted
            logger.warning("numbers of a large fleet failed with %s", type(error).__name__)
        with self._lock:
            del self._due[key]
            return 0.0 if self._due else None

    def drop(self) -> None:
        """Drop all, and also what is being counted."""
        with self._lock:
            self._cached.clear()
            self._drops += 1

    def close(self) -> None:
        """Count no more in the background. A question that takes long may go on until the process ends."""
        with self._lock:
            self._closed = True
        if self._renewal:
            self._renewal.stop(STOP_SECONDS)

    def _size(self) -> int:
        return sum(len(one.pickled) for one in self._cached.values())


class _Renewal(BackgroundJob):
    """Counts anew what is due, one after the other."""

    def __init__(self, step: Callable[[], float | None]) -> None:
        super().__init__("numbers")
        self._step = step

    def step(self) -> float | None:
        return self._step()


class _Asked(Protocol):
    """Whose questions these are."""

    cached: CachedNumbers
    environment: str

    def instances_of(self, source: int) -> int: ...

    def note_age(self, at: int) -> None: ...


_Part = TypeVar("_Part", bound=_Asked)


def cached_if_large(
    question: Callable[Concatenate[_Part, int, _Given], _Numbers],
) -> Callable[Concatenate[_Part, int, _Given], _Numbers]:
    """A question about a source whose numbers are cached, if its fleet is large.

    An argument `now` does not tell two questions apart: numbers are of the moment when they were counted.
    """
    return _cached(question, lambda part: part.environment)


def cached_for_all(
    question: Callable[Concatenate[_Part, int, _Given], _Numbers],
) -> Callable[Concatenate[_Part, int, _Given], _Numbers]:
    """The same of a question whose numbers are those of all environments, whichever is asked."""
    return _cached(question, lambda _: "")


def _cached(
    question: Callable[Concatenate[_Part, int, _Given], _Numbers], environment: Callable[[_Part], str]
) -> Callable[Concatenate[_Part, int, _Given], _Numbers]:
    parameters = signature(question)

    @wraps(question)
    def ask(part: _Part, source: int, *given: _Given.args, **named: _Given.kwargs) -> _Numbers:
        told = parameters.bind(part, source, *given, **named).arguments.items()
        words = [repr(value) for name, value in told if name not in ("self", "now")]
        key, cached = (question.__name__, environment(part), *words), part.cached

        def count() -> _Numbers:
            return cached.count(key, partial(question, part, source, *given, **named), is_large)

        def is_large() -> bool:
            return part.instances_of(source) >= LARGE

        found = cached.find(key)
        if found is None:
            return count()
        if found.due < cached.clock():
            cached.renew(key, count)
        part.note_age(found.at)
        numbers: _Numbers = pickle.loads(found.pickled)  # noqa: S301 - pickled in this process
        return numbers

    return cast("Callable[Concatenate[_Part, int, _Given], _Numbers]", ask)
