"""Work in the background: a thread that does a step, rests, and does the next one until it is stopped."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress

_here = threading.local()


def in_background() -> bool:
    """Whether this is the thread of such a job, for which nobody waits."""
    return getattr(_here, "is_a_job", False)


class Stopped(BaseException):
    """A step ends before its work does. It is no Exception, which a step would take for a failure."""


class BackgroundJob(ABC):
    """Owns the thread. It ends with the process, whatever it is doing."""

    def __init__(self, name: str, rest: float = 0.0) -> None:
        self._rest: float | None = rest
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name=name, daemon=True)

    @abstractmethod
    def step(self) -> float | None:
        """Do some of the work; how many seconds to rest then, or None at the end."""

    def start(self) -> None:
        """Rest, and do the first step."""
        self._thread.start()

    def stop(self, patience: float | None = None) -> None:
        """Stop after the step that is being done; wait for that, but no longer than so many seconds."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(patience)

    @property
    def name(self) -> str:
        return self._thread.name

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def _go_on(self, *_: object) -> None:
        """Between the parts of a long step: end it with Stopped, if the job was told to stop."""
        if self._stopping.is_set():
            raise Stopped

    def _repeat(self) -> None:
        _here.is_a_job = True
        with suppress(Stopped):
            while self._rest is not None and not self._stopping.wait(self._rest):
                self._rest = self.step()


def start_jobs(jobs: Iterable[BackgroundJob]) -> None:
    for job in jobs:
        job.start()


def stop_jobs(jobs: Iterable[BackgroundJob]) -> None:
    for job in jobs:
        job.stop()
