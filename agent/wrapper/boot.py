"""`wrap`: decide whether anything is reported, and run CMD in either case.

Whatever fails here, CMD runs, and one line says why it is not reported. Imports next to nothing.
"""

from __future__ import annotations

import os

from agent.base import sig
from agent.base.messages import product_name, write_message, write_stderr
from agent.wrapper.options import HELP, USAGE, Options
from agent.wrapper.process.caller import Caller, command_arguments
from agent.wrapper.process.child import plug_closed_descriptors, shell_message
from agent.wrapper.process.command import exec_command

COULD_NOT, WRONG_USE = 1, 2


def main(words: list[str], launch: str = "") -> int:
    """Run CMD, the words after `wrap` and its options. Returns only where there is no CMD.

    For `launch` see Caller.
    """
    if sig.getsignal(sig.SIGINT) == sig.default_int_handler:
        sig.signal(sig.SIGINT, sig.SIG_DFL)  # ^C ends us plainly, not in a traceback
    caller = Caller(launch, plug_closed_descriptors())
    options = Options(words)
    name = product_name()
    if not options.words:
        asked = words[:1] in (["--help"], ["-h"])
        os.write(1 if asked else 2, (HELP if asked else USAGE).format(name=name).encode())
        return 0 if asked else WRONG_USE
    argv = command_arguments(options.words)
    if options.explain:
        return show_explanation(argv, caller, name)
    try:
        from agent.config.situation import read_situation, working_directory

        caller.tell(options.told)
        situation = read_situation(caller.told.text(), cwd=working_directory(), uid=os.geteuid())
        if situation.decision.sending:
            from agent.wrapper.run import report_run

            report_run(argv, caller, situation, options)
        elif situation.locked_out and situation.service_state:
            write_message(
                f"{name}: this installation is not reported: only root may read {situation.locked_out};"
                f" to report it as this machine's: sudo {situation.command} wrap"
            )
    except Exception as why:  # noqa: BLE001 - the boundary: ours fails, CMD does not
        write_message(f"{name}: this installation is not reported: {_reason(why)}")
    return run_unreported(argv, caller, name)


def show_explanation(argv: list[bytes], caller: Caller, name: str) -> int:
    """Say how a failure's place would be found. No error may leave: the launcher would run CMD."""
    try:
        from agent.wrapper.explain import explain

        os.write(1, os.fsencode(explain(argv, caller.environment)))
    except Exception as why:  # noqa: BLE001 - see above
        write_message(f"{name}: nothing is explained, and nothing was run: {_reason(why)}")
        return COULD_NOT
    return 0


def run_unreported(argv: list[bytes], caller: Caller, name: str) -> int:
    """Exec CMD, with nothing of ours left. Returns an exit code only if CMD cannot be run."""
    caller.restore_signals()
    problem = exec_command(argv, caller.environment)
    write_stderr(shell_message(name, argv[0], problem))
    return problem.code


def _reason(why: Exception) -> str:
    if isinstance(why, OSError):
        where = f" ({os.fsdecode(why.filename)})" if why.filename else ""
        return (why.strerror or "a system error") + where
    if type(why).__name__ == "SettingError":
        return str(why)
    return f"{type(why).__name__}, an error in rollcall itself"
