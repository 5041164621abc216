"""Which program of a shell script failed, seen from outside by root, where the kernel tells of exits."""

from __future__ import annotations

import os

from agent.wrapper.exits.taskstats import open_events
from agent.wrapper.exits.watcher import Watcher
from agent.wrapper.shell.script import shell_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.runs.write import Place
    from agent.wrapper.exits.taskstats import ExitEvents
    from agent.wrapper.process.caller import Environment
    from agent.wrapper.shell.script import ShellRun


MAX_TEXT = 1 << 19
"""It takes a second to read more."""


class Exits:
    """What is told of a script's programs. The events wait from before CMD's start until watch()."""

    def __init__(self, run: ShellRun, text: bytes, environment: Environment, events: ExitEvents) -> None:
        self._script = (run, text, environment)
        self._events = events
        self._watcher: Watcher | None = None

    @property
    def script(self) -> bytes | None:
        """The script's file, empty for stdin; None where its text is on the command line."""
        run = self._script[0]
        return None if run.command is not None else run.path

    def watch(self, cmd: int) -> None:
        """CMD has started: have a child listen. Where there is no process to be had, nothing is told."""
        try:
            self._watcher = Watcher(self._events, cmd)
        except OSError:
            pass
        finally:
            self._events.close()

    def descriptors(self) -> set[int]:
        return self._watcher.descriptors() if self._watcher else set()

    def failed(self, cmd: int, code: int) -> Place | None:
        """CMD has ended with this code: the program that failed, if that is certain."""
        steps = self._watcher.steps() if self._watcher else None
        if not steps:
            return None
        from agent.wrapper.exits.verdict import failed_step

        found = failed_step(steps, cmd, *self._script, code)
        return ("-", found[0].decode(), self._name(), str(found[1])) if found else None

    def forget(self) -> None:
        """CMD is not started."""
        self._events.close()

    def _name(self) -> str:
        """The script's base name, if whatever failed stands in it."""
        from agent.wrapper.exits.verdict import reads_others

        run, text, _ = self._script
        name = os.path.basename(run.path).decode("utf-8", "replace")
        return name if name.isprintable() and name and not reads_others(text) else "-"


class NotTold(Exception):  # noqa: N818 - reads as what it says
    """The kernel tells nothing of CMD's programs, or it would not help; the text says why."""


def prepare(argv: list[bytes], environment: Environment) -> Exits | None:
    """For a shell script that root runs; None for any other CMD, and where the kernel tells nothing."""
    if os.geteuid() != 0:
        return None
    try:
        return open_exits(argv, environment)
    except NotTold:
        return None


def open_exits(argv: list[bytes], environment: Environment) -> Exits:
    """As prepare, but with the reason where it is not possible: NotTold."""
    run = shell_run(argv, environment)
    if run is None:
        raise NotTold("CMD is no shell script, or its shell has options that are not known")
    text = run.text()
    if text is None:
        raise NotTold("the script's text is not known before: it comes from a pipe, or cannot be read")
    if len(text) > MAX_TEXT:
        raise NotTold(f"the script is larger than {MAX_TEXT >> 10} KiB")
    if os.geteuid() != 0:
        raise NotTold("the kernel tells only root which programs end")
    try:
        return Exits(run, text, environment, open_events())
    except OSError as why:
        raise NotTold(f"the kernel does not tell which programs end, as in a container ({why})") from None
