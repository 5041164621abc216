"""The real world, as the heart asks for it: children, clocks, the state directory and the log."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

from agent.base.clock import read_clocks
from agent.base.locks import open_lock, try_lock
from agent.base.owner import ActingAsOwner
from agent.base.statedir import StateDir
from agent.heartbeat.answer import parse_answer
from agent.heartbeat.children import Leave
from agent.heartbeat.due import read_due, write_due
from agent.heartbeat.systemd import WARNING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.heartbeat.answer import ChildAnswer
    from agent.heartbeat.children import Signals
    from agent.heartbeat.due import Due
    from agent.heartbeat.systemd import Journal

DEADLINE = 60.0
"""Seconds for one child: twice the budget of a flush, and more than any health check takes."""

WRONG_SETTING = 2
"""A child's exit code, and the daemon's if it is so from the start."""


class RealWorld:
    """Owns the lock on the state directory. See heart.World for what each method promises."""

    def __init__(self, child: Sequence[str], signals: Signals, journal: Journal) -> None:
        self._child = child
        self._signals = signals
        self.log = journal.log
        self.clocks = read_clocks
        self.uniform = random.uniform
        self._state: StateDir | None = None
        self._lock: int | None = None
        self._answered = False
        self._failure: str | None = None

    def ask_child(self, *verb: str) -> ChildAnswer | None:
        ended = self._signals.run_child([*self._child, *verb], DEADLINE)
        answer = parse_answer(ended.output)
        self._answered = self._answered or answer is not None
        if ended.code == WRONG_SETTING and not self._answered:
            raise Leave(WRONG_SETTING, "a setting is not valid (see above)")
        failure = None if answer is not None else _failure_text(ended.code)
        if failure is not None and failure != self._failure:
            self.log(WARNING, f"{verb[0]} {failure}; it will be tried again", verb=verb[0])
        self._failure = failure
        return answer

    def claim(self, state_dir: str) -> None:
        if self._state is not None and self._state.path == state_dir:
            return
        state = StateDir(state_dir)
        state.make()
        with ActingAsOwner(state):
            lock = open_lock(state.daemon)
        try:
            claimed = try_lock(lock)
        except OSError:  # a file system without locks
            os.close(lock)
            raise
        if not claimed:
            raise Leave(1, f"another daemon already uses {state_dir}")
        if self._lock is not None:
            os.close(self._lock)
        self._state, self._lock = state, lock

    def load_due(self) -> Due | None:
        if self._state is None:
            return None
        with ActingAsOwner(self._state):
            return read_due(self._state.due)

    def keep_due(self, due: Due) -> None:
        if self._state is not None:
            with ActingAsOwner(self._state):
                write_due(self._state.due, due)


def _failure_text(code: int | None) -> str:
    if code is None:
        return f"took more than {DEADLINE:.0f} s and was stopped"
    if code < 0:
        from signal import Signals as Names  # rare, and 100 KiB

        return f"was killed by {Names(-code).name}"
    return f"ended with exit code {code} and no result"
