"""One reported run: run file, notice, CMD, the wait, the outcome on disk, and the same end as CMD's."""

from __future__ import annotations

import os
import time

from agent.wrapper import notice, runfile
from agent.wrapper.child import let_go, start
from agent.wrapper.command import CannotRun
from agent.wrapper.detach import start_flush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.situation import Situation
    from agent.wrapper.boot import Options
    from agent.wrapper.caller import Caller
    from agent.wrapper.runfile import RunFile


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
        tracing = _tracing(argv, caller, options)
        file.append("begun")
    except BaseException:
        file.remove()
        raise
    environment = tracing.environment if tracing else caller.environment
    try:
        pid = start(argv, caller, environment, situation.name)
    except CannotRun as why:
        _end(file, [_ended(f"not-started {why.code}")], caller)
        os._exit(why.code)
    _accompany(pid, file, caller, situation, options)


def _accompany(
    pid: int, file: RunFile, caller: Caller, situation: Situation, options: Options
) -> None:
    """Everything after CMD's start. Whatever fails, CMD's end is ours."""
    status = None
    try:
        let_go(file.descriptors())
        file.sync()
        start_flush(caller.environment)
    except Exception:
        pass
    from agent.wrapper.relay import end_as, until_ended

    status = until_ended(pid)
    try:
        _end(file, [_outcome(status)], caller)
    finally:
        end_as(status)


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


def _tracing(argv, caller, options):
    return None
