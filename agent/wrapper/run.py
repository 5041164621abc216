"""One reported run: run file, notice, CMD, the wait, the outcome on disk, and the same end as CMD's."""

from __future__ import annotations

import os
import time

from agent.wrapper import notice, runfile
from agent.wrapper.boot import say
from agent.wrapper.child import let_go, start
from agent.wrapper.command import CannotRun
from agent.wrapper.detach import start_flush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.situation import Situation
    from agent.wrapper.boot import Options
    from agent.wrapper.caller import Caller
    from agent.wrapper.runfile import RunFile
    from agent.wrapper.trace import Trace


def report(argv: list[bytes], caller: Caller, situation: Situation, options: Options) -> None:
    """Run CMD and report it. Never returns once CMD was started.

    Returns where an outer wrapper reports already; raises where nothing can be reported.
    """
    from agent.wrapper.nested import inside_another

    if inside_another(situation.state):
        return
    file = runfile.create(situation)
    try:
        notice.show(situation)
        trace = _trace(argv, caller) if options.trace else None
        file.append("begun")
    except BaseException:
        file.remove()
        raise
    environment = trace.environment if trace else caller.environment
    try:
        pid = start(argv, caller, environment, situation.name)
    except CannotRun as why:
        _end(file, [_ended(f"not-started {why.code}")], caller)
        os._exit(why.code)
    _accompany(Run(pid, file, trace, caller, situation, options))


class Run:
    """CMD is running, and all that belongs to it."""

    def __init__(
        self,
        pid: int,
        file: RunFile,
        trace: Trace | None,
        caller: Caller,
        situation: Situation,
        options: Options,
    ) -> None:
        self.pid = pid
        self.file = file
        self.trace = trace
        self.caller = caller
        self.situation = situation
        self.options = options

    def descriptors(self) -> set[int]:
        return self.file.descriptors() | (self.trace.descriptors() if self.trace else set())


def _accompany(run: Run) -> None:
    """Everything after CMD's start. Whatever fails of ours, CMD's end is our end."""
    from agent.wrapper.relay import end_as, until_ended

    try:
        let_go(run.descriptors())
        run.file.sync()
        start_flush(run.caller.environment)
    except Exception:  # noqa: BLE001 - CMD runs; what is not on disk now is tried again at its end
        pass
    status = until_ended(run.pid)
    try:
        _end(run.file, [*_failed(run.trace, status), _outcome(status)], run.caller)
    except Exception as why:  # noqa: BLE001 - CMD has ended, and its end is what counts
        say(f"{run.situation.name}: the outcome of this installation was not noted: {why}")
    finally:
        end_as(status)


def _failed(trace: Trace | None, status: int) -> list[str]:
    """Where the script failed, if it did and that is known."""
    if trace is None or not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0:
        return []
    line = trace.failed(os.WEXITSTATUS(status))
    return [line] if line else []


def _end(file: RunFile, lines: list[str], caller: Caller) -> None:
    file.append(*lines)
    file.sync()
    os.close(file.fd)  # unlocks: from here on the file is the importer's
    start_flush(caller.environment)


def _outcome(status: int) -> str:
    if os.WIFSIGNALED(status):
        return _ended(f"signal {os.WTERMSIG(status)}")
    return _ended(f"exit {os.WEXITSTATUS(status)}")


def _ended(how: str) -> str:
    now, clock = time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)
    return f"ended {now:.3f} {clock:.3f} {how}"


def _trace(argv: list[bytes], caller: Caller) -> Trace | None:
    """A trace, if CMD is a bash script; the install goes on without one if it cannot be made."""
    from agent.wrapper.trace import prepare

    try:
        return prepare(argv, caller.environment)
    except Exception:  # noqa: BLE001 - a missing line number is no reason to report nothing
        return None
