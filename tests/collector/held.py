"""Work that is held until somebody is sent away, and how much of it ran at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.wait import PATIENCE


class Held:
    """Else a quick machine would be through with some of the work before the last of a flood come."""

    def __init__(self) -> None:
        self.sent_away = threading.Event()
        self.most = self._running = 0
        self._lock = threading.Lock()

    @contextmanager
    def work(self) -> Iterator[None]:
        with self._lock:
            self._running += 1
            self.most = max(self.most, self._running)
        self.sent_away.wait(PATIENCE)
        self.sent_away.set()
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
