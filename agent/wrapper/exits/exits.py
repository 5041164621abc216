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
        return ("-", found[0].decode(), "-", str(found[1])) if found else None


def prepare(argv: list[bytes], environment: Environment) -> Exits | None:
    """For a shell script that root runs; None for any other CMD, and where the kernel tells nothing."""
    if os.geteuid() != 0:
        return None
    run = shell_run(argv, environment)
    text = run.text() if run else None
    if run is None or text is None or len(text) > MAX_TEXT:
        return None
    try:
        return Exits(run, text, environment, open_events())
    except OSError:
        return None
