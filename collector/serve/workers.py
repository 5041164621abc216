"""Several server processes on one port, under a parent that starts those again that die.

The parent serves nothing. It hears from a pipe what happens: the numbers of signals, and which worker
listens. Each worker has a socket of its own, and the kernel spreads connections over them. If the parent is
killed, its workers notice and stop as on SIGTERM.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from collector.store import StoreError

logger = logging.getLogger("rollcall.collector")

# A worker that dies starts again after the first pause; each time that it dies soon, the pause is doubled.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
SOON_SECONDS = 60.0
HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
# What a worker writes when it listens: this and its number. Signals have smaller numbers.
LISTENS = 128

# Serves as the worker with this number until told to stop; calls the function once it listens.
Work = Callable[[int, Callable[[], None]], None]


@dataclass
class _Worker:
    number: int
    pid: int | None = None
    began: float = 0.0
    due: float = 0.0  # when it starts again
    pause: float = 0.0


class Crew:
    """The workers of one parent."""

    def __init__(
        self,
        count: int,
        work: Work,
        *,
        listening: Callable[[], None],
        stopping: Callable[[], None],
        ended: Callable[[int], None],
        patience: float,
    ) -> None:
        self._work, self._patience = work, patience
        self._tell_stopping, self._ended = stopping, ended
        self._listening: Callable[[], None] | None = listening  # to be called once all of them listen
        self._workers = [_Worker(number) for number in range(count)]
        self._silent = set(range(count))  # those that have not listened yet
        self._stopping = False

    def run(self) -> None:
        """Keep the workers running until SIGTERM or SIGINT; return when all have ended."""
        self._news, self._tell = os.pipe2(os.O_NONBLOCK)
        self._parent_lives, self._live = os.pipe()
        with _heard_in(self._tell):
            while not self._stopping:
                self._start_due()
                self._hear(self._next_start())
            self._stop()
        for pipe in (self._news, self._tell, self._parent_lives, self._live):
            os.close(pipe)

    def _start_due(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.pid is None and worker.due <= now:
                worker.pid, worker.began = self._fork(worker.number), now

    def _next_start(self) -> float | None:
        """Seconds until a worker is due; None if all run."""
        due = [worker.due for worker in self._workers if worker.pid is None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _hear(self, seconds: float | None) -> None:
        """Wait for news, and act on them."""
        if not select.select([self._news], [], [], seconds)[0]:
            return
        for one in os.read(self._news, 4096):
            if one >= LISTENS:
                self._silent.discard(one - LISTENS)
            elif one != signal.SIGCHLD:
                self._stopping = True
        self._bury_dead()
        if not self._silent and self._listening is not None:
            tell, self._listening = self._listening, None
            tell()

    def _bury_dead(self) -> None:
        for worker in self._workers:
            if worker.pid is not None and (found := os.waitpid(worker.pid, os.WNOHANG))[0]:
                self._bury(worker, os.waitstatus_to_exitcode(found[1]))

    def _bury(self, worker: _Worker, code: int) -> None:
        now = time.monotonic()
        lived, worker.pid = now - worker.began, None
        self._ended(worker.number)
        if self._stopping:
            return
        worker.pause = FIRST_PAUSE if lived > SOON_SECONDS else min(LONGEST_PAUSE, worker.pause * 2)
        worker.pause = max(worker.pause, FIRST_PAUSE)
        worker.due = now + worker.pause
        how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        logger.error("worker %d ended: %s; it starts again in %g s", worker.number + 1, how, worker.pause)

    def _stop(self) -> None:
        """Let the workers finish; kill those that do not."""
        self._tell_stopping()
        self._signal(signal.SIGTERM)
        until = time.monotonic() + self._patience
        while self._running() and (left := until - time.monotonic()) > 0:
            self._hear(left)
        if late := self._running():
            logger.error("%d workers did not stop in time, and are killed", len(late))
            self._signal(signal.SIGKILL)
            for worker in late:
                os.waitpid(worker.pid or 0, 0)

    def _running(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.pid is not None]

    def _signal(self, number: signal.Signals) -> None:
        for worker in self._running():
            os.kill(worker.pid or 0, number)

    def _fork(self, number: int) -> int:
        """Start a worker; its process number."""
        signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
        pid = os.fork()
        if pid == 0:
            self._become_worker(number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
        return pid

    def _become_worker(self, number: int) -> None:
        """Serve in this new process, and end it."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for heard in HEARD:
                signal.signal(heard, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
            os.close(self._live)
            os.close(self._news)
            threading.Thread(target=_stop_with_parent, args=(self._parent_lives,), daemon=True).start()
            self._work(number, lambda: _write(self._tell, LISTENS + number))
            code = 0
        except (StoreError, OSError) as error:
            logger.error("worker %d: %s", number + 1, error)  # noqa: TRY400 - it says all
        except Exception as error:
            logger.exception("worker %d failed with %s", number + 1, type(error).__name__)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


@contextmanager
def _heard_in(pipe: int) -> Iterator[None]:
    """Write the numbers of signals into a pipe instead of acting on them."""
    before = [signal.signal(number, lambda *_: None) for number in HEARD]
    wakeup = signal.set_wakeup_fd(pipe)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in zip(HEARD, before, strict=True):
            signal.signal(number, handler)


def _stop_with_parent(parent_lives: int) -> None:
    """End as on SIGTERM when the other end of the pipe, which only the parent has, is closed."""
    os.read(parent_lives, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _write(pipe: int, number: int) -> None:
    os.write(pipe, bytes([number]))
