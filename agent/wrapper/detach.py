"""Starting a process that has nothing of ours: no descriptor, session, parent, signal or limit to end it."""

from __future__ import annotations

import os
import sys

from agent import sig
from agent.wrapper.child import STANDARD, open_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.caller import Environment

FLUSH = (b"-I", b"-m", b"agent", b"flush")


def start_flush(environment: Environment, *, ending: bool = False) -> None:
    """Deliver what waits, in a process of its own that nobody waits for.

    Where no process is to be had, the next flush, beat or verb delivers. Where we are `ending`,
    our end makes it an orphan, and no process in between has to be waited for.
    """
    try:
        pid = os.fork()
    except OSError:
        return
    if pid == 0:
        try:
            os.setsid()
            if ending or os.fork() == 0:
                _become_flush(environment)
        finally:
            os._exit(0)
    try:
        os.waitpid(pid, os.WNOHANG if ending else 0)
    except ChildProcessError:
        pass  # reaped among others


def _become_flush(environment: Environment) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for fd in STANDARD:
        os.dup2(null, fd, inheritable=True)
    for fd in open_descriptors():
        try:
            os.set_inheritable(fd, fd in STANDARD)
        except OSError:
            pass  # the one that listed the folder
    for number in sig.valid_signals():
        if number not in (sig.SIGKILL, sig.SIGSTOP):
            sig.signal(number, sig.SIG_IGN)  # forgets the one that came before our setsid, and waits
            sig.signal(number, sig.SIG_DFL)
    sig.pthread_sigmask(sig.SIG_SETMASK, ())
    python = os.fsencode(sys.executable)
    os.execve(python, [python, *FLUSH], environment)  # type: ignore[arg-type]  # see Environment
