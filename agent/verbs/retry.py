"""`flush --retry`: the sender after a wrapped install, in the background.

It tries until all is delivered, telemetry is off, three hours are over, or a signal ends it. This process
only waits: each try is a child, which reads docker.env anew, has a deadline, and leaves no memory behind.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from agent.base.locks import open_lock, try_lock
from agent.base.owner import ActingAsOwner
from agent.base.processes import seconds_since_boot
from agent.base.statedir import StateDir
from agent.delivery.backoff import EAGER_BACKOFF
from agent.heartbeat.answer import ChildAnswer, parse_answer
from agent.heartbeat.children import Leave, Signals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RETRY_SECONDS = 3 * 3600.0
"""How long it tries, counted from the newest event that waits. The last try comes after that."""
LEAST_GAP = 5.0
DEADLINE = 60.0

AGENT = (sys.executable, "-I", "-m", "agent")
TRY = ("flush", "--report", "--eager")


class Killed:
    """In place of an answer: the try was killed, for want of memory, or at its deadline after a suspend."""


def keep_trying(
    ask: Callable[[], ChildAnswer | Killed | None],
    alone: Callable[[], bool],
    pause: Callable[[float], None],
    clock: Callable[[], float],
) -> None:
    """Try once; then, if this process is the only one to do so, again until there is nothing left to do.

    A try without an answer is the last: the agent was removed, or a setting does not parse. One that was
    killed is not.
    """
    until, most = clock() + RETRY_SECONDS, 0
    while (answer := ask()) is not None:
        if isinstance(answer, Killed):
            after: float | None = EAGER_BACKOFF
        else:
            after = answer.retry_in if answer.sending else None
        if after is None or not alone():
            return
        if isinstance(answer, ChildAnswer) and answer.waiting > most:
            until, most = clock() + RETRY_SECONDS, answer.waiting
        if clock() > until:
            return
        pause(max(after, LEAST_GAP))


class Sender:
    """The process: its signals, its children, and the lock that only one sender holds."""

    def __init__(self, state: StateDir, options: Sequence[str], agent: Sequence[str] = AGENT) -> None:
        self._state = state
        self._try = [*agent, *TRY, *options]
        self._signals = Signals(lambda: RETRY_SECONDS)
        self._lock: int | None = None

    def run(self) -> None:
        with suppress(Leave):  # its child was ended with it
            keep_trying(self._ask, self._alone, self._pause, seconds_since_boot)

    def _ask(self) -> ChildAnswer | Killed | None:
        end = self._signals.run_child(self._try, DEADLINE)
        return Killed() if end.code is None or end.code < 0 else parse_answer(end.output)

    def _alone(self) -> bool:
        """Whether we keep trying. Where another process does, it will see what is new."""
        if self._lock is None:
            with ActingAsOwner(self._state):
                self._lock = open_lock(self._state.retry)
        return try_lock(self._lock)

    def _pause(self, seconds: float) -> None:
        end = seconds_since_boot() + seconds
        while (left := end - seconds_since_boot()) > 0:
            self._signals.pause(left)


def main(options: Sequence[str]) -> int:
    """Run in the background; `options` go to each try. Whoever starts it names the state directory."""
    os.chdir("/")
    try:
        Sender(StateDir(os.environ["ROLLCALL_STATE_DIR"]), options).run()
    except OSError:
        return 1  # uninstalled meanwhile, or no disk: nobody reads a message of ours
    return 0
