"""One reported run: run file, notice, CMD, the wait, the outcome on disk, and the same end as CMD's."""

from __future__ import annotations

import os

from agent.base import sig
from agent.base.messages import write_message
from agent.config.settings import SettingError
from agent.runs.write import create_run_file
from agent.wrapper.person import notice
from agent.wrapper.process import relay
from agent.wrapper.process.child import (
    STDERR,
    end_like_child,
    end_with_child,
    release_descriptors,
    start_child,
)
from agent.wrapper.process.command import CannotRun
from agent.wrapper.process.flusher import start_flush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.config.situation import Situation
    from agent.runs.write import Place, RunFile
    from agent.wrapper.exits.exits import Exits
    from agent.wrapper.failure.trace import Trace
    from agent.wrapper.options import Options
    from agent.wrapper.process.caller import Caller


def report_run(argv: list[bytes], caller: Caller, situation: Situation, options: Options) -> None:
    """Run CMD and report it. Never returns once CMD was started.

    Returns where an outer wrapper reports already; raises where nothing can be reported.
    """
    if others := situation.state.run_files():
        from agent.wrapper.nested import inside_another_run

        if inside_another_run(others):
            return
    if STDERR in caller.closed:
        raise OSError(9, "stderr is closed, so the notice cannot be shown")
    file = create_run_file(situation)
    try:
        notice.show_notice(situation)
        trace = _prepare_trace(argv, caller) if options.trace else None
        exits = _prepare_exits(argv, caller) if options.trace and trace is None else None
        file.note_start()
    except BaseException:
        file.remove()
        raise
    environment = trace.environment if trace else caller.environment
    try:
        pid = start_child(argv, caller, environment, situation.name)
    except CannotRun as why:
        _not_started(file, why, caller, situation)
        os._exit(why.code)
    except OSError:  # no more processes: CMD takes this one's place, and its end is not ours to see
        file.remove()
        raise
    try:
        _accompany(ReportedRun(pid, file, trace, exits, caller, situation, options))
    finally:
        end_with_child(pid)  # CMD runs: it must not be run again


def _not_started(file: RunFile, why: CannotRun, caller: Caller, situation: Situation) -> None:
    try:
        file.note_end("not-started", why.code)
        file.sync()
        os.close(file.fd)
        start_flush(caller.told, situation, ending=True)
    except OSError:
        pass  # the shell's message was written; there is no more to say


class ReportedRun:
    """CMD is running, and all that belongs to it."""

    def __init__(
        self,
        pid: int,
        file: RunFile,
        trace: Trace | None,
        exits: Exits | None,
        caller: Caller,
        situation: Situation,
        options: Options,
    ) -> None:
        self.pid = pid
        self.file = file
        self.trace = trace
        self.exits = exits
        self.caller = caller
        self.situation = situation
        self.options = options

    def descriptors(self) -> set[int]:
        method = self.trace or self.exits
        return self.file.descriptors() | (method.descriptors() if method else set())


def _accompany(run: ReportedRun) -> None:
    """Everything after CMD's start. Whatever fails of ours, CMD's end is our end."""
    try:
        if run.exits:
            run.exits.watch(run.pid)
        release_descriptors(run.descriptors())
        run.file.sync()
        run.file.sync_name()
        _send_meanwhile(run)
    except Exception:  # noqa: BLE001, S110 - CMD runs; what is not on disk now is tried again at its end
        pass
    status = relay.relay_signals(run.pid, run.trace.trim if run.trace and run.trace.grows else None)
    try:
        run.file.note_end(*_how_it_ended(status), _failed(run, status))
        run.file.sync()
        _ask_if_possible(run, status)
        os.close(run.file.fd)  # unlocks: from here on the file is the importer's
        start_flush(run.caller.told, run.situation, ending=True)
    except Exception as why:  # noqa: BLE001 - CMD has ended, and its end is what counts
        write_message(f"{run.situation.name}: the outcome of this installation was not recorded: {why}")
    finally:
        end_like_child(status)


def _send_meanwhile(run: ReportedRun) -> None:
    """Deliver what is known so far. Without an endpoint the end is soon enough: it takes no time from CMD."""
    if run.situation.settings.endpoint:
        start_flush(run.caller.told, run.situation)


def _failed(run: ReportedRun, status: int) -> Place | None:
    """Where the script failed, if it did and that is known."""
    method = run.trace or run.exits
    if method is None or not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0:
        return None
    try:
        return method.failed(run.pid, os.WEXITSTATUS(status))
    except Exception:  # noqa: BLE001 - that it failed is known, and where is lost
        return None


def _ask_if_possible(run: ReportedRun, status: int) -> None:
    """A question that fails keeps nothing back of what is on record."""
    try:
        _ask_questions(run, status)
    except Exception as why:  # noqa: BLE001 - a full disk, or an agent that CMD replaced
        write_message(f"{run.situation.name}: no answer was kept: {why}")


def _ask_questions(run: ReportedRun, status: int) -> None:
    """The questions after CMD, where a person may answer them, and the answer can reach somebody."""
    if not run.options.input or not os.isatty(2) or _stopped_by_hand(status):
        return
    situation = run.situation.reread()  # CMD may have chosen, for itself or for its operator
    try:
        sending, endpoint = situation.decision.sending, situation.settings.endpoint
    except SettingError:  # CMD broke one, and every verb will say so
        return
    if not sending:
        return
    _send_meanwhile(run)  # what is known need not wait for an answer
    from agent.wrapper.person import questions

    if status == 0:
        questions.ask_for_usage(situation)
    elif endpoint and (email := questions.ask_for_help(situation, run.file.reference)):
        run.file.note_email(email)
        run.file.sync()


def _stopped_by_hand(status: int) -> bool:
    """Whether the person ended CMD: who does so does not wait for questions."""
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status) in (sig.SIGINT, sig.SIGQUIT, sig.SIGHUP)
    return os.WEXITSTATUS(status) == 128 + sig.SIGINT


def _how_it_ended(status: int) -> tuple[str, int]:
    if os.WIFSIGNALED(status):
        return "signal", os.WTERMSIG(status)
    return "exit", os.WEXITSTATUS(status)


def _prepare_trace(argv: list[bytes], caller: Caller) -> Trace | None:
    """A trace, if CMD is a bash script; the install goes on without one if it cannot be made."""
    try:
        from agent.wrapper.failure.trace import prepare

        return prepare(argv, caller.environment)
    except Exception:  # noqa: BLE001 - a missing line number is no reason to report nothing
        return None


def _prepare_exits(argv: list[bytes], caller: Caller) -> Exits | None:
    """What the kernel tells of the programs that a shell script runs, where it tells that."""
    try:
        from agent.wrapper.exits.exits import prepare

        return prepare(argv, caller.environment)
    except Exception:  # noqa: BLE001 - as above
        return None
