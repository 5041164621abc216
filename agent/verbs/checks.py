"""What `doctor` looks at on this machine. Each check reads files only, and makes none."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.base.files import read_small
from agent.base.locks import try_lock
from agent.base.messages import counted
from agent.config.access import access_problem
from agent.events import identity
from agent.outbox.bundles import trouble_at
from agent.outbox.errors import OutboxError
from agent.outbox.outbox import DROPPED, REJECTED, WAITING, read_outbox
from agent.outbox.pending import storage_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.app import App
    from agent.config.consent import Decision

OK, WRONG = "ok", "wrong"
UNITS = "etc/systemd/system"
OUR_DROP_IN = "env-file.conf"
MADE = "units.sha256"
"""What install.sh notes in /opt/NAME of the units that it made."""
MAX_BYTES = 64 * 1024
LEAST_TIME = 1_735_689_600.0
"""The start of 2025: a clock before it was never set."""


@dataclass(frozen=True)
class Finding:
    """What one check came to, in a line that says what to do if something is wrong."""

    check: str
    state: str
    says: str


def check_settings(app: App) -> Iterator[Finding]:
    """Whether the settings hold together, and which docker.env files count."""
    settings = app.situation.settings
    problem = str(settings.fault) if settings.fault else access_problem(settings)
    if problem:
        yield Finding("settings", WRONG, problem)
    if settings.endpoint and not (settings.write_key or settings.write_key_file):
        yield Finding(
            "settings", WRONG, "no write key is set: set ROLLCALL_WRITE_KEY_FILE to the vendor's key"
        )
    for file in app.situation.env_files:
        if not file.trusted and file.fault is None:
            says = f"{file.path} is not used, as another user owns or may write it: chown it, and chmod go-w"
            yield Finding("docker.env", WRONG, says)
    used = ", ".join(sorted({f"{name} from {source}" for name, source in settings.sources.items()}))
    yield Finding("settings", OK, used or "all are defaults")


def check_decision(app: App) -> Iterator[Finding]:
    """Whether telemetry is on; off by a flag is a choice, off by doubt is a fault."""
    decision = app.situation.standing_decision
    if decision.sending:
        yield Finding("sending", OK, "yes")
    elif decision.rule == "flag":
        yield Finding(
            "sending", OK, f"no, {decision}: nothing is connected to and nothing is checked outside"
        )
    else:
        yield Finding("sending", WRONG, f"no, {decision}: {_way_out(app, decision)}")


def _way_out(app: App, decision: Decision) -> str:
    if app.situation.locked_out:
        return f"only root may read it: sudo {app.name} doctor"
    if decision.rule == "gone":
        return f"bring it back, or if it is gone for good: {app.name} enable"
    return "mend the file"


def check_clock(app: App) -> Iterator[Finding]:
    if app.now() < LEAST_TIME:
        yield Finding("clock", WRONG, "it is before 2025: set this machine's clock")


def check_service(app: App) -> Iterator[Finding]:
    """The unit that install.sh writes for the whole machine, and whether its daemon runs.

    While nothing is sent, a daemon may never have looked for its state, so nothing shows that it runs.
    """
    name = app.situation.name
    unit = os.path.join(app.root, UNITS, f"{name}.service")
    if not os.path.lexists(unit):
        yield Finding("service", OK, "none is installed for the whole machine")
        return
    sending = app.situation.standing_decision.sending
    wrong = _unit_fault(app.root, unit, name) or _drift(app.root, name)
    wrong = wrong or (_daemon_fault(app, name) if sending else None)
    right = f"{name}.service runs" if sending else f"{name}.service is installed, and silent"
    yield Finding("service", WRONG, wrong) if wrong else Finding("service", OK, right)
    for path in sorted(glob.glob(f"{glob.escape(unit)}.d/*.conf")):
        if os.path.basename(path) != OUR_DROP_IN:
            yield Finding("service", OK, f"somebody's {path} changes the unit")


def _unit_fault(root: str, unit: str, name: str) -> str | None:
    if os.path.realpath(unit) == "/dev/null":
        return f"it is masked: systemctl unmask {name}.service"
    try:
        with open(unit, encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file]
    except OSError as why:
        return f"{unit} cannot be read ({why.strerror}): run install.sh again"
    started = next((line.partition("=")[2].split() for line in lines if line.startswith("ExecStart=")), [])
    program = started[0].lstrip("@-:+!") if started else ""
    if not os.path.exists(os.path.join(root, program.lstrip("/"))) or not program:
        return f"{unit} starts {program or 'nothing'}, which does not exist: run install.sh again"
    if not glob.glob(os.path.join(glob.escape(os.path.join(root, UNITS)), "*.wants", f"{name}.service")):
        return f"it does not start with the machine: systemctl enable {name}.service"
    return None


def _drift(root: str, name: str) -> str | None:
    """Whether the units are as install.sh made them; nothing is known where it did not note that."""
    try:
        made = read_small(os.path.join(root, "opt", name, MADE), MAX_BYTES).decode().strip()
    except (OSError, ValueError):
        return None
    found = hashlib.sha256()
    for file in (f"{name}.service", f"{name}-env.path", f"{name}-env.service"):
        for path in (file, os.path.join(f"{file}.d", OUR_DROP_IN)):
            with contextlib.suppress(OSError, ValueError):
                found.update(read_small(os.path.join(root, UNITS, path), MAX_BYTES))
    if found.hexdigest() == made:
        return None
    return f"a unit was edited: move the change to a drop-in (systemctl edit {name}) and run install.sh again"


def _daemon_fault(app: App, name: str) -> str | None:
    """Whether the daemon holds its lock. Nothing is known where the lock cannot be read."""
    state = app.situation.service_state or app.situation.state.path
    try:
        handle = os.open(os.path.join(state, "daemon.lock"), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return f"it never ran: systemctl restart {name}.service"
    except OSError:
        return None
    try:
        free = try_lock(handle, shared=True)
    finally:
        os.close(handle)
    return f"it does not run: journalctl -u {name}.service says why" if free else None


def check_state(app: App) -> Iterator[Finding]:
    """The state directory, the id and the outbox; called as their owner."""
    state = app.situation.state
    if not state.exists():
        yield Finding("state", OK, f"{state.path} does not exist yet")
        return
    if not os.access(state.path, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("state", WRONG, f"{state.path} cannot be written by uid {os.geteuid()}: chown it")
        return
    if problem := storage_problem(state):
        yield Finding("disk", WRONG, f"{problem}: {state.path}")
    if os.path.exists(state.id) and identity.read(state) is None:
        yield Finding("state", WRONG, f"{state.id} is damaged: the next event gets a new id")
    if os.path.exists(f"{state.outbox}.damaged"):
        yield Finding(
            "state", WRONG, f"an outbox was damaged and is kept in {state.outbox}.damaged: delete it"
        )
    try:
        yield from _outbox(app)
    except OutboxError as why:
        yield Finding("outbox", WRONG, str(why))


def _outbox(app: App) -> Iterator[Finding]:
    endpoint = app.situation.settings.endpoint
    with read_outbox(app.situation.state) as outbox:
        if outbox is None:
            yield Finding("outbox", OK, "nothing is recorded yet")
            return
        trouble, elsewhere = trouble_at(outbox, endpoint), outbox.waiting_elsewhere(endpoint)
        if trouble:
            yield Finding("delivery", WRONG, f"{trouble.error} (since {trouble.since})")
        if endpoint and elsewhere:
            how = f"{app.name} export FILE --settle takes them out"
            says = counted(elsewhere, "event is waiting", "events are waiting")
            yield Finding("outbox", WRONG, f"{says} for another endpoint: {how}")
        if lost := outbox.count(REJECTED):
            says = f"the endpoint rejected {counted(lost, 'event', 'events')}: {app.name} log says why"
            yield Finding("outbox", WRONG, says)
        if lost := outbox.dropped():
            says = f"{counted(lost, 'event was', 'events were')} {DROPPED}"
            yield Finding("outbox", WRONG, f"{says}: too many waited, or a file was gone")
        yield Finding("outbox", OK, _waiting(outbox.count(WAITING), outbox.waiting_since()))


def _waiting(count: int, since: str | None) -> str:
    if not count:
        return "no events are waiting"
    return f"{counted(count, 'event is waiting', 'events are waiting')}, since {since}"
