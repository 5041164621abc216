"""The verb `log`: all that was recorded, and what became of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent.app import DONE, App
from agent.base.messages import printable
from agent.base.owner import become_owner
from agent.events import facts
from agent.outbox.collect import planned_instance
from agent.outbox.intake import RECORDING
from agent.outbox.outbox import LogEntry, read_outbox
from agent.outbox.pending import not_taken_in, run_entries
from agent.verbs.color import COLORS, paint

if TYPE_CHECKING:
    import argparse


def show_log(app: App, args: argparse.Namespace) -> int:
    """Print every recorded event, newest last."""
    state = app.situation.state
    become_owner(state, *RECORDING)
    instance = app.read_instance() or planned_instance(state)
    runs = run_entries(state, instance, facts.system(app.root))
    with read_outbox(state, at_once=True) as outbox:
        entries = [] if outbox is None else outbox.entries(args.n)
        entries += not_taken_in(runs, outbox)
    entries = entries[max(0, len(entries) - args.n) :] if args.n is not None else entries
    for entry in entries:
        print(_as_json(entry) if args.json else _as_line(entry, app), file=app.out)
    if not entries and args.n != 0:
        app.say(f"nothing has been recorded in {state.path}")
    elif entries and not args.json:
        app.say(f"to see each event exactly as it is sent: {app.name} log --json")
    return DONE


def _as_json(entry: LogEntry) -> str:
    shown = {
        "state": entry.state,
        "recordedAt": entry.recorded_at,
        "settledAt": entry.settled_at,
        "endpoint": entry.endpoint,
        "event": entry.event,
    }
    return json.dumps(shown, separators=(",", ":"))


def _as_line(entry: LogEntry, app: App) -> str:
    when = entry.recorded_at[:19].replace("T", " ")
    name, event = printable(entry.name), entry.event
    properties = json.dumps(event["properties"]) if "properties" in event else ""
    return (
        f"{when}Z  {paint(f'{entry.state:<8}', COLORS[entry.state], app)}  {name:<22}  {properties}".rstrip()
    )
