"""Start a delivery as a process of its own, which has no descriptor, session, parent or signal of ours.

The wrapper does so, and the verb `support`.
"""

from __future__ import annotations

import os
import sys
import time

from agent.base import sig
from agent.wrapper.process.child import STANDARD, open_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.config.situation import Situation
    from agent.wrapper.process.caller import Environment

FLUSH = (b"-I", b"-m", b"agent", b"flush")
RETRY = (b"--retry",)
FIRST_PROCESS_SECONDS = 5.0
"""How long PID 1 waits for its sender, which the kernel ends together with it."""
WITHIN_THAT = (b"--budget", b"4s")
ENDING = (sig.SIGTERM, sig.SIGINT, sig.SIGHUP, sig.SIGQUIT)
BUNDLES = (b"REQUESTS_CA_BUNDLE", b"CURL_CA_BUNDLE", b"SSL_CERT_FILE", b"SSL_CERT_DIR")


def start_flush(environment: Environment, situation: Situation, *, ending: bool = False) -> None:
    """Deliver what waits, in a process of its own that nobody waits for: the last one tries for hours.

    It runs in /, so that it keeps no file system of the install busy. If no process can be started, the
    next flush or beat delivers. If we are `ending`, our end makes it an orphan; otherwise a process in
    between does, and is waited for. Only PID 1 waits for the sender, if there is an endpoint.
    """
    first = ending and os.getpid() == 1 and situation.settings.endpoint
    options = WITHIN_THAT if first else RETRY if ending else ()
    environment = _from_elsewhere(environment, situation)
    try:
        if ending:
            os.chdir("/")  # already here: the child may not have had its turn when we are gone
        pid = os.fork()
    except OSError:
        return
    if pid == 0:
        try:
            os.setsid()
            os.chdir("/")
            if ending or os.fork() == 0:
                _become_flush(environment, options, os.fsencode(situation.cwd))
        finally:
            os._exit(0)
    try:
        if first:
            _wait_as_first_process(pid)
        else:
            os.waitpid(pid, os.WNOHANG if ending else 0)
    except ChildProcessError:
        pass  # reaped among others


def _wait_as_first_process(pid: int) -> None:
    """Wait for the sender, unless a signal asks us to end. All signals are blocked here, and none is lost."""
    until = time.monotonic() + FIRST_PROCESS_SECONDS
    while os.waitpid(pid, os.WNOHANG) == (0, 0) and (left := until - time.monotonic()) > 0:
        came = sig.sigtimedwait(sig.valid_signals(), left)
        if came is not None and came.si_signo in ENDING:
            return


def _from_elsewhere(environment: Environment, situation: Situation) -> Environment:
    """The environment for a process that runs in /: this run's state directory, and absolute CA bundles.

    Other relative paths, and docker.env, are found with `--from`; CMD may have changed docker.env.
    """
    environment = environment.with_entry(b"ROLLCALL_STATE_DIR", os.fsencode(situation.settings.state_dir))
    for name in BUNDLES:
        if given := environment.get(name):
            environment = environment.with_entry(name, os.path.join(os.fsencode(situation.cwd), given))
    return environment


def _become_flush(environment: Environment, options: Sequence[bytes], folder: bytes) -> None:
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
    os.umask(0o077)
    python = os.fsencode(sys.executable)
    os.execve(python, [python, *FLUSH, *options, b"--from", folder], environment)  # type: ignore[arg-type]  # see Environment
