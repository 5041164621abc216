"""Asking a person on the terminal: once, for a minute at most, and only where nobody is disturbed."""

from __future__ import annotations

import os
import select
import termios
import time

from agent.base import sig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ENDING = (sig.SIGINT, sig.SIGTERM, sig.SIGHUP, sig.SIGQUIT)
STOPPING = (sig.SIGTSTP, sig.SIGTTIN, sig.SIGTTOU)
MAX_LINE = 1024


class NoAnswer(Exception):  # noqa: N818 - reads as what it says
    """No answer: the time is over, or ^C, or ^D."""


class Terminal:
    """The controlling terminal, ours for a question. Made by `open_terminal`; no call on it blocks."""

    def __init__(self, fd: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._fd = fd
        self._clock = clock
        self._until = clock() + seconds

    def show(self, text: str) -> None:
        """Show it, unless a ^S keeps the terminal from it for all the time that there is."""
        if select.select([], [self._fd], [], self._left())[1]:
            os.write(self._fd, text.encode("utf-8", "replace"))

    def read_answer(self, question: str) -> str:
        """The line that was typed. NoAnswer if there was none in time."""
        self.show(question)
        while select.select([self._fd], [], [], self._left())[0]:
            try:
                data = os.read(self._fd, MAX_LINE)
            except BlockingIOError:
                continue  # another process took the line
            if not data:
                raise NoAnswer
            return data.decode("utf-8", "replace").strip()
        self.show("\n")
        raise NoAnswer

    def _left(self) -> float:
        return max(0.0, self._until - self._clock())


def open_terminal(seconds: float) -> Terminal | None:
    """A terminal with a person before it, or None.

    None too where it is another job's, where input waits that was not typed for us, or where CMD
    left it in a state in which a question could not be answered.
    """
    if not os.isatty(2):
        return None
    try:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        ours = os.tcgetpgrp(fd) == os.getpgrp()
        usual = termios.tcgetattr(fd)[3] & (termios.ICANON | termios.ECHO) == termios.ICANON | termios.ECHO
    except (OSError, termios.error):
        ours = usual = False
    if not (ours and usual) or select.select([fd], [], [], 0)[0]:
        os.close(fd)
        return None
    return Terminal(fd, seconds)


def unblock_signals() -> None:
    """^C and the like are no answer; ^Z stops us, as it would any program."""
    for number in ENDING:
        sig.signal(number, _no_answer)
    for number in STOPPING:
        sig.signal(number, sig.SIG_DFL)
    sig.pthread_sigmask(sig.SIG_UNBLOCK, [*ENDING, *STOPPING, sig.SIGCONT])


def block_signals() -> None:
    sig.pthread_sigmask(sig.SIG_BLOCK, sig.valid_signals())


def _no_answer(_number: int, _frame: object) -> None:
    """Once: a second signal, or what came with the first, has nothing left to end."""
    for number in ENDING:
        sig.signal(number, _nothing_more)
    raise NoAnswer


def _nothing_more(_number: int, _frame: object) -> None:
    pass
