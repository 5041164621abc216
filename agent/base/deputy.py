"""A process that stays who we were, to answer one question after we became the state directory's owner.

Root may look into folders that the owner may not. The deputy opens and writes nothing; it ends when we do.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from agent.base.owner import other_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.base.statedir import StateDir

ASK, YES, NO = b"?", b"y", b"n"


@contextmanager
def deputy_for(question: Callable[[], bool], state: StateDir) -> Iterator[Callable[[], bool]]:
    """Ask `question` as who we are now, for as long as this context lasts. Without an answer it is False.

    Where become_owner changes nothing, there is no need of a deputy.
    """
    if other_owner(state) is None:
        yield question
        return
    questions, ask = os.pipe()
    answers, answer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ask)
            os.close(answers)
            while os.read(questions, 1):
                os.write(answer, YES if question() else NO)
        finally:
            os._exit(0)
    os.close(questions)
    os.close(answer)

    def answered() -> bool:
        try:
            os.write(ask, ASK)
        except BrokenPipeError:
            return False
        return os.read(answers, 1) == YES

    try:
        yield answered
    finally:
        os.close(ask)
        os.close(answers)
        with suppress(ChildProcessError):  # our caller ignored SIGCHLD
            os.waitpid(pid, 0)
