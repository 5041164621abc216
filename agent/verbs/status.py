"""Verbs that look and never write: preview, log, status."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from agent.app import DONE, App, WrongUse
from agent.base import ids
from agent.base.owner import become_owner
from agent.base.words import printable
from agent.config.consent import RULES, in_environment
from agent.events import catalogue, identity
from agent.heartbeat import duefile
from agent.heartbeat.due import wall_time
from agent.outbox.database import OutboxError
from agent.outbox.outbox import DROPPED, REJECTED, WAITING, Entry, Reader, reading

if TYPE_CHECKING:
    import argparse

SAMPLE_INSTANCE = "00000000-0000-4000-8000-000000000000"
SAMPLE_RUN = "3f2b8c1d-0000-4000-8000-000000000000"
COLORS = {
    "waiting": "33",
    "sent": "32",
    "rejected": "31",
    "dropped": "31",
    "exported": "32",
    "deleted": "2",
    "yes": "32",
    "no": "33",
}


def preview(app: App, args: argparse.Namespace) -> int:
    """Print the exact JSON of one event, or of one of each."""
    state = app.situation.state
    become_owner(state)
    try:
        kinds = [catalogue.kind(args.event)] if args.event else catalogue.CATALOGUE
    except catalogue.NotInCatalogue as why:
        raise WrongUse(str(why)) from None
    found = identity.read(state)
    if found is None:
        app.say("this instance has no id yet; the one shown is a sample")
    origin = app.origin(found.instance if found else SAMPLE_INSTANCE)
    if any(kind.about_installation for kind in kinds):
        app.say("what is known only when it happens (times, durations, failures, an address) is a sample")
    samples = [_sample(kind, origin, app) for kind in kinds]
    shown = samples[0] if args.event else samples
    print(json.dumps(shown, indent=2), file=app.out)
    return DONE


def _sample(kind: catalogue.Kind, origin: catalogue.Origin, app: App) -> dict[str, object]:
    real = {"os": origin.system.name, "instanceId": origin.instance, "reference": SAMPLE_RUN[:8]}
    return catalogue.build(
        kind.name,
        {prop.name: real.get(prop.name, prop.example) for prop in kind.properties},
        origin,
        message_id=ids.uuid7(app.now()),
        timestamp=app.now(),
        installation=SAMPLE_RUN if kind.about_installation else None,
    )


def log(app: App, args: argparse.Namespace) -> int:
    """Print the audit log, newest last."""
    state = app.situation.state
    become_owner(state)
    with reading(state) as outbox:
        entries = [] if outbox is None else outbox.entries(args.n)
    for entry in entries:
        print(_as_json(entry) if args.json else _as_line(entry, app), file=app.out)
    if not entries and args.n != 0:
        app.say(f"nothing was ever recorded in {state.path}")
    elif entries and not args.json:
        app.say(f"each event to the letter: {app.name} log --json")
    return DONE


def _as_json(entry: Entry) -> str:
    shown = {
        "state": entry.state,
        "recordedAt": entry.recorded_at,
        "settledAt": entry.settled_at,
        "endpoint": entry.endpoint,
        "event": entry.event,
    }
    return json.dumps(shown, separators=(",", ":"))


def _as_line(entry: Entry, app: App) -> str:
    when = entry.recorded_at[:19].replace("T", " ")
    name = printable(entry.name)
    properties = "" if entry.payload is None else json.dumps(json.loads(entry.payload)["properties"])
    return (
        f"{when}Z  {paint(f'{entry.state:<8}', COLORS[entry.state], app)}  {name:<22}  {properties}".rstrip()
    )


def paint(text: str, color: str, app: App) -> str:
    """Color for a person at a terminal who has not said NO_COLOR."""
    plain = app.environ.get("NO_COLOR") or app.environ.get("TERM") == "dumb" or not app.out.isatty()
    return text if plain else f"\x1b[{color}m{text}\x1b[0m"


def status(app: App, args: argparse.Namespace) -> int:
    """Say whether anything is sent, why, and how it goes."""
    situation = app.situation
    settings, state = situation.settings, situation.state
    become_owner(state)
    decision = situation.standing_decision
    found = identity.read(state)
    shown = {
        "sending": decision.sending,
        "rule": decision.rule,
        "source": decision.source,
        "usage": decision.sending and settings.usage,
        "instanceId": found.instance if found else None,
        "lastBeat": None,
        "nextBeat": _next_beat(app) if decision.sending else None,
        "lastError": None,
        "endpoint": settings.endpoint or None,
        "waiting": 0,
        "rejected": 0,
        "dropped": 0,
        "stateDir": state.path,
        "envFile": situation.env_file,
    }
    elsewhere = 0
    try:
        with reading(state) as outbox:
            if outbox is not None:
                shown |= _counted(outbox, settings.endpoint)
                elsewhere = outbox.waiting_elsewhere(settings.endpoint)
    except OutboxError as why:
        shown["lastError"] = str(why)
        app.say(str(why))
    if settings.fault is not None:
        app.say(str(settings.fault))
    print(json.dumps(shown) if args.json else _status_text(shown, app, elsewhere), file=app.out)
    _mention_the_service(app)
    _mention_what_only_silences(app)
    return DONE


def _next_beat(app: App) -> str | None:
    """When the daemon means to beat next; None if it never ran, or stopped running before that."""
    due, now = duefile.read(app.situation.state.due), duefile.clocks()._replace(wall=app.now())
    when = None if due is None else wall_time(due, now)
    return catalogue.iso(when) if when is not None and when > now.wall else None


def _counted(outbox: Reader, endpoint: str) -> dict[str, object]:
    trouble = outbox.trouble(endpoint)
    return {
        "lastBeat": outbox.last_beat(),
        "lastError": trouble and f"{trouble.error} (since {trouble.since})",
        "waiting": outbox.count(WAITING),
        "rejected": outbox.count(REJECTED),
        "dropped": outbox.dropped(),
    }


def _status_text(shown: dict[str, object], app: App, elsewhere: int) -> str:
    settings = app.situation.settings
    sending = "yes" if shown["sending"] else "no"
    why = RULES[str(shown["rule"])] + (f": {shown['source']}" if shown["source"] else "")
    rows = [
        ("product", f"{settings.product} {settings.product_version}"),
        ("sending", f"{paint(sending, COLORS[sending], app)}, {printable(why)}"),
        ("usage events", "yes" if shown["usage"] else "no"),
        ("instance id", shown["instanceId"] or "none yet"),
        ("last beat", shown["lastBeat"] or "none yet"),
        ("next beat", shown["nextBeat"] or "not planned"),
        ("endpoint", shown["endpoint"] or "none: nothing leaves this machine"),
        ("waiting", f"{shown['waiting']}" + _elsewhere(elsewhere, app)),
        (REJECTED, shown["rejected"]),
        (DROPPED, shown["dropped"]),
        ("last error", printable(str(shown["lastError"] or "none"))),
        ("state", printable(str(shown["stateDir"]))),
        ("docker.env", printable(str(shown["envFile"] or "none"))),
    ]
    lines = [f"{name:<13} {value}" for name, value in rows]
    me = app.name
    hints = [f"what is sent: {me} preview", f"what was: {me} log"]
    if shown["sending"]:
        hints.append(f"stop it: {me} disable")
    elif in_environment(app.environ) is None:  # a flag in the environment is not ours to take away
        hints.append(f"turn it on: {me} enable")
    return "\n".join([*lines, "", "   ".join(hints)])


def _elsewhere(count: int, app: App) -> str:
    if not count:
        return ""
    return f", of which {count} for another endpoint (to let go of them: {app.name} export FILE --settle)"


def _mention_what_only_silences(app: App) -> None:
    """Say so when a docker.env was found whose settings do not count."""
    for file in app.situation.env_files:
        if not file.trusted and file.fault != ("unreadable", None):
            app.say(
                f"the settings in {file.path} are not used: it is somebody else's, or others may"
                " write to it (chmod go-w); it can silence and nothing more"
            )


def _mention_the_service(app: App) -> None:
    """Say so when the service on this machine keeps its state in another place than this caller."""
    service = os.path.join(app.root, "var/lib", app.situation.name)
    if os.path.isdir(service) and os.path.realpath(service) != os.path.realpath(app.situation.state.path):
        app.say(f"this is your own state; the service's is in {service} (sudo {app.name} status shows it)")
