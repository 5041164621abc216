"""From run files to events. Whoever opens the outbox to record or to flush collects them.

A locked run file belongs to a wrapper that still runs: only its start is reported, and the file stays. An
unlocked one is finished, or its wrapper was killed, or the power failed. The wrapper chose every messageId,
so an event that is collected twice is stored once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.base import processes
from agent.base.locks import try_lock
from agent.events import catalogue
from agent.events.shown import read_shown
from agent.runs.parse import open_run_file, read_run
from agent.runs.write import SUFFIX, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.base.statedir import StateDir
    from agent.events.facts import System
    from agent.outbox.outbox import Outbox
    from agent.runs.parse import End, RunReport

MAX_DIGITS = 9
"""A line number with more digits than this is ignored."""
ABANDONED_SECONDS = 3600
"""An unfinished run file (its wrapper was killed while it made it) is deleted at this age."""


@dataclass(frozen=True)
class Speaker:
    """Whose runs these are: the id, the system, and up to where the operator was shown the catalogue."""

    instance: str
    system: System
    shown: int


def collect_runs(state: StateDir, outbox: Outbox, instance: str, system: System) -> int:
    """Make events of all run files; returns how many events were new.

    Only where telemetry is on. While it is off, call `discard_runs`.
    """
    speaker = Speaker(instance, system, read_shown(state))
    return sum(_collect_one(path, outbox, speaker) for path in _paths(state))


def has_runs(state: StateDir) -> bool:
    """Whether there is any run file, so that an id is only made if one is needed."""
    return bool(_paths(state))


def planned_instance(state: StateDir) -> str | None:
    """The id that the oldest run drew for the case that there is none.

    Only of this boot: a run file on a copied disk must not give two machines one id.
    """
    boot, plans = processes.boot_id(), []
    for path in _paths(state):
        with _opened(path, os.O_RDONLY) as handle:
            run = None if handle is None else read_run(handle)
        if run and run.new_instance and run.wrapper and run.wrapper[0] == boot != "":
            plans.append((run.began, run.new_instance))
    return min(plans)[1] if plans else None


def discard_runs(state: StateDir) -> None:
    """Telemetry is off: delete all run files, those of running wrappers included."""
    for path in state.run_files():
        _unlink(path)


def _paths(state: StateDir) -> list[str]:
    return [path for path in state.run_files() if path.endswith((SUFFIX, UNFINISHED))]


def _collect_one(path: str, outbox: Outbox, speaker: Speaker) -> int:
    with _opened(path) as handle:
        if handle is None:
            return 0
        if path.endswith(UNFINISHED):
            if time.time() - os.fstat(handle).st_mtime > ABANDONED_SECONDS and try_lock(handle):
                _unlink(path)
            return 0  # the wrapper is about to lock it, and must not find it locked
        live = not try_lock(handle)
        run = read_run(handle)
        count = 0 if run is None else _record(run, outbox, speaker, live=live)
        if not live:
            _unlink(path)
        return count


def read_runs(state: StateDir, instance: str, system: System) -> Iterator[tuple[str, dict[str, object]]]:
    """The events of all run files, each with its endpoint, for those who only read."""
    speaker = Speaker(instance, system, read_shown(state))
    for path in state.run_files():
        if path.endswith(SUFFIX):
            with _opened(path, os.O_RDONLY) as handle:
                if handle is None:
                    continue
                live = not try_lock(handle, shared=True)  # another reader may look too
                run = read_run(handle)
            if run is not None:
                for event, _ in _built(run, speaker, live=live):
                    yield run.endpoint, event


def _record(run: RunReport, outbox: Outbox, speaker: Speaker, *, live: bool) -> int:
    return sum(outbox.record(event, run.endpoint, at=at) for event, at in _built(run, speaker, live=live))


def _built(run: RunReport, speaker: Speaker, *, live: bool) -> Iterator[tuple[dict[str, object], float]]:
    """The events, each with the time at which the wrapper recorded it."""
    origin = catalogue.Origin(
        speaker.instance, run.product, run.version, speaker.system, speaker.shown, run.environment
    )
    for name, properties, message_id, at in events_of(run, speaker.system, live=live):
        try:
            event = catalogue.build(
                name, properties, origin, message_id=message_id, timestamp=at, installation=run.id
            )
        except catalogue.NotInCatalogue:
            continue  # a file that somebody else wrote
        yield event, at


Event = tuple[str, dict[str, object], str, float]


def events_of(run: RunReport, system: System, *, live: bool) -> Iterator[Event]:
    """The events of a run: name, properties, messageId, time."""
    if not run.begun:
        return
    yield catalogue.STARTED, {"os": system.name}, run.started_id, run.began
    if run.end:
        properties = {"os": system.name} | _outcome(run, run.end)
        name = catalogue.ERRORS if "reason" in properties else catalogue.SUCCESS
        yield name, properties, run.ended_id, run.end[0]
    elif not live:
        properties = {"os": system.name, "durationSeconds": 0, "reason": "interrupted"}
        yield catalogue.ERRORS, properties, run.ended_id, run.began
    if run.email:
        asked, email = run.email
        properties = {"os": system.name, "email": email, "reference": run.id[:8]}
        yield catalogue.SUPPORT, properties, run.support_id, asked


def _outcome(run: RunReport, end: End) -> dict[str, object]:
    _, clock, how, number = end
    properties: dict[str, object] = {"durationSeconds": max(0, round(clock - run.clock))}
    if how == "signal":
        properties |= {"reason": how, "exitCode": 128 + number, "signal": _signal_name(number)}
    elif how == "not-started" or number != 0:
        properties |= {"reason": how, "exitCode": number}
    if "reason" in properties:
        properties |= _place(run.failed, run.command_exit)
    return properties


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"SIG{number}"


def _place(failed: list[str], command_exit: str) -> dict[str, str | int]:
    """Where the script failed, as properties: only what the catalogue accepts."""
    line, command, script = (*failed, "-", "-", "-")[:3]
    found: dict[str, str | int] = {}
    if catalogue.SCRIPT.accepts(script) and script != "-":
        found["script"] = script
    if _is_number(line):
        found["line"] = int(line)
    if catalogue.COMMAND.accepts(command) and command != "-":
        found["command"] = command
        if _is_number(command_exit):
            found["commandExitCode"] = int(command_exit)
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS


@contextlib.contextmanager
def _opened(path: str, access: int = os.O_RDWR) -> Iterator[int | None]:
    handle = open_run_file(path, access)
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
