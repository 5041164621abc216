"""Work in the background: a thread that does a step, rests, and does the next one until it is stopped."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

_here = threading.local()


def in_background() -> bool:
    """Whether this is the thread of such a job, for which nobody waits."""
    return getattr(_here, "is_a_job", False)


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
    def running(self) -> bool:
        return self._thread.is_alive()

    def _repeat(self) -> None:
        _here.is_a_job = True
        while self._rest is not None and not self._stopping.wait(self._rest):
            self._rest = self.step()
