"""From run files to events: called by whoever opens the outbox to record or to flush.

A run file that is locked belongs to a wrapper that lives: only its start is told, the file
stays. One that is unlocked is finished, or its wrapper was killed, or the power went. Every
messageId was chosen by the wrapper, so that nothing here happens twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import re
import signal
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.events import catalogue
from agent.runs.write import FORMAT, SUFFIX, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.base.statedir import StateDir
    from agent.events.facts import System
    from agent.outbox.outbox import Outbox

MAX_BYTES = 64 * 1024
MAX_DIGITS = 9
"""Of a line number that is believed."""
ABANDONED_SECONDS = 3600
"""A run file that was never finished being made is thrown away at this age."""


@dataclass(frozen=True)
class Run:
    """What one run file says."""

    head: dict[str, str]
    begun: bool = False
    ended: list[str] = field(default_factory=list)
    """Wall clock, clock since boot, and how: `exit 3`, `signal 15`, `not-started 127`."""
    failed: dict[str, str | int] = field(default_factory=dict)
    """Where, as the catalogue's properties: script, line, command."""
    email: tuple[float, str] | None = None
    """When help was asked for, and under which address."""

    @property
    def installation(self) -> str:
        return self.head["id"]


def collect(state: StateDir, outbox: Outbox, instance: str, system: System) -> int:
    """Move every run that can be moved into the outbox; how many events were new.

    For those who may send: where silence was chosen, call `discard`.
    """
    return sum(_collect_one(path, outbox, instance, system) for path in _paths(state))


def waiting(state: StateDir) -> bool:
    """Whether there is any run file, so that an id is only made where one is needed."""
    return bool(_paths(state))


def discard(state: StateDir) -> None:
    """Silence: no run is ever reported, the live ones included."""
    for path in state.run_files():
        with contextlib.suppress(OSError):
            os.unlink(path)


def _paths(state: StateDir) -> list[str]:
    return [path for path in state.run_files() if path.endswith((SUFFIX, UNFINISHED))]


def _collect_one(path: str, outbox: Outbox, instance: str, system: System) -> int:
    with _opened(path) as handle:
        if handle is None:
            return 0
        if path.endswith(UNFINISHED):
            if time.time() - os.fstat(handle).st_mtime > ABANDONED_SECONDS and _lock(handle):
                _unlink(path)
            return 0  # a young one is its maker's, who is about to lock it and must not find it locked
        live = not _lock(handle)
        run = parse(os.read(handle, MAX_BYTES).decode("utf-8", "replace"))
        count = 0
        if run is not None:
            count = _record(run, outbox, instance, system, live=live)
        if not live:
            _unlink(path)
        return count


def _record(run: Run, outbox: Outbox, instance: str, system: System, *, live: bool) -> int:
    origin = catalogue.Origin(instance, run.head["product"], run.head["version"], system)
    endpoint = run.head["endpoint"]
    count = 0
    for name, properties, message_id, at in told(run, system, live=live):
        try:
            event = catalogue.build(
                name, properties, origin, message_id=message_id, timestamp=at, installation=run.installation
            )
        except catalogue.NotInCatalogue:
            continue  # a file that somebody else wrote
        count += outbox.record(event, endpoint)
    return count


Told = tuple[str, dict[str, object], str, float]


def told(run: Run, system: System, *, live: bool) -> Iterator[Told]:
    """The story of a run: (event, properties, messageId, when)."""
    if not run.begun:
        return
    head = run.head
    began = float(head["time"])
    yield catalogue.STARTED, {"os": system.name}, head["started-id"], began
    if run.ended:
        at, properties = _end(run)
        name = catalogue.ERRORS if "reason" in properties else catalogue.SUCCESS
        yield name, {"os": system.name} | properties, head["ended-id"], at
    elif not live:
        properties = {"os": system.name, "durationSeconds": 0, "reason": "interrupted"}
        yield catalogue.ERRORS, properties, head["ended-id"], began
    if run.email:
        asked, email = run.email
        properties = {"os": system.name, "email": email, "reference": run.installation[:8]}
        yield catalogue.SUPPORT, properties, head["support-id"], asked


def _end(run: Run) -> tuple[float, dict[str, object]]:
    at, clock, how, number = float(run.ended[0]), float(run.ended[1]), run.ended[2], int(run.ended[3])
    properties: dict[str, object] = {"durationSeconds": max(0, round(clock - float(run.head["clock"])))}
    if how == "signal":
        properties |= {"reason": how, "exitCode": 128 + number, "signal": _signal_name(number)}
    elif how == "not-started" or number != 0:
        properties |= {"reason": how, "exitCode": number}
    if "reason" in properties:
        properties |= run.failed
    return at, properties


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"SIG{number}"


def parse(text: str) -> Run | None:
    """What a run file says; None if it is none. A last line without an end was being written: not there."""
    lines = text.split("\n")[:-1]
    if not lines or lines[0] != FORMAT:
        return None
    head: dict[str, str] = {}
    begun, ended, email = False, list[str](), None
    failed: dict[str, str | int] = {}
    for line in lines[1:]:
        key, _, value = line.partition(" ")
        if key == "begun":
            begun = True
        elif key == "ended":
            ended = value.split()
        elif key == "failed":
            failed = _place(value)
        elif key == "email":
            email = _asked(value)
        else:
            head.setdefault(key, value)
    return Run(head, begun, ended, failed, email) if _sound(head, ended) else None


def _asked(value: str) -> tuple[float, str] | None:
    when, _, email = value.partition(" ")
    try:
        return _finite(when), email
    except ValueError:
        return None


def _sound(head: dict[str, str], ended: list[str]) -> bool:
    """Whether everything is there that the story needs."""
    ids = ("id", "started-id", "ended-id", "support-id")
    try:
        _finite(head["time"]), _finite(head["clock"])
        if ended:
            _finite(ended[0]), _finite(ended[1]), int(ended[3])
    except (KeyError, ValueError, IndexError):
        return False
    whole = all(re.fullmatch(catalogue.UUID, head.get(key, "")) for key in ids)
    return whole and {"endpoint", "product", "version"} <= head.keys()


def _finite(text: str) -> float:
    """A number that can be a time; ValueError for any other."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _place(value: str) -> dict[str, str | int]:
    """`LINE COMMAND SCRIPT`, `-` for what is not known; only what the catalogue accepts."""
    line, command, script = (*value.split(" ", 2), "-", "-")[:3]
    found: dict[str, str | int] = {}
    if catalogue.SCRIPT.accepts(script) and script != "-":
        found["script"] = script
    if line.isascii() and line.isdecimal() and len(line) <= MAX_DIGITS:
        found["line"] = int(line)
    if catalogue.COMMAND.accepts(command) and command != "-":
        found["command"] = command
    return found


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int | None]:
    """The run file, if it is a plain file: nothing planted there is followed or waited for."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        yield handle if stat.S_ISREG(os.fstat(handle).st_mode) else None
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
