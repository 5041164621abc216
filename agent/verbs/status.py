"""The verb `status`: whether anything is sent, why, and how it goes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent.app import DONE, App
from agent.base.clock import read_clocks
from agent.base.messages import printable
from agent.base.owner import become_owner
from agent.config.access import access_problem
from agent.config.consent import decision_from_environment
from agent.events import catalogue, facts
from agent.events.shown import NEWEST, read_shown
from agent.heartbeat.due import read_due, wall_time
from agent.outbox.bundles import trouble_at
from agent.outbox.errors import OutboxError
from agent.outbox.outbox import DROPPED, REJECTED, WAITING, LogEntry, OutboxReader, read_outbox
from agent.outbox.pending import not_taken_in, run_entries, storage_problem
from agent.verbs.color import COLORS, paint

if TYPE_CHECKING:
    import argparse

    from agent.config.consent import Decision


def show_status(app: App, args: argparse.Namespace) -> int:
    """Say whether anything is sent, why, and how it goes."""
    situation = app.situation
    settings, state = situation.settings, situation.state
    decision = situation.standing_decision
    problem = access_problem(settings) if decision.sending and settings.endpoint else None
    feed_rows = _feed_rows(app)
    become_owner(state)
    shown: dict[str, object] = {
        "sending": decision.sending,
        "rule": decision.rule,
        "source": decision.source,
        "usage": decision.sending and settings.usage,
        "instanceId": app.read_instance(),
        "lastBeat": None,
        "nextBeat": _next_beat(app) if decision.sending else None,
        "lastError": None,
        "endpoint": settings.endpoint or None,
        "waiting": 0,
        "rejected": 0,
        "dropped": 0,
        "stateDir": state.path,
        "envFile": situation.env_file,
        "product": settings.product,
        "version": settings.product_version,
    }
    runs = run_entries(state, None, facts.system(app.root))
    try:
        with read_outbox(state, at_once=True) as outbox:
            elsewhere = _count(shown, app, outbox, runs)
    except OutboxError as why:
        elsewhere = _count(shown, app, None, runs)
        shown["lastError"] = str(why)
        app.say(str(why))
    shown["lastError"] = problem or shown["lastError"]
    if settings.fault is not None:
        app.say(str(settings.fault))
    print(
        json.dumps(shown) if args.json else _status_text(shown, decision, app, elsewhere, feed_rows),
        file=app.out,
    )
    _mention_the_service(app)
    _mention_what_only_silences(app)
    return DONE


def _next_beat(app: App) -> str | None:
    """When the daemon means to beat next; None if it never ran, or stopped running before that."""
    due, now = read_due(app.situation.state.due), read_clocks()._replace(wall=app.now())
    when = None if due is None else wall_time(due, now)
    return catalogue.iso(when) if when is not None and when > now.wall else None


def _count(shown: dict[str, object], app: App, outbox: OutboxReader | None, runs: list[LogEntry]) -> int:
    """Fill in the numbers, and what went wrong last. Returns how many events wait for another endpoint."""
    endpoint, state = app.situation.settings.endpoint, app.situation.state
    pending = not_taken_in(runs, outbox)
    waiting, elsewhere = len(pending), sum(entry.endpoint not in (None, endpoint) for entry in pending)
    if outbox is not None:
        waiting += outbox.count(WAITING)
        elsewhere += outbox.waiting_elsewhere(endpoint)
        trouble = trouble_at(outbox, endpoint)
        shown["lastBeat"] = outbox.last_beat()
        shown["lastError"] = trouble and f"{trouble.error} (since {trouble.since})"
        shown["rejected"], shown["dropped"] = outbox.count(REJECTED), outbox.dropped()
    shown["waiting"] = waiting
    if pending and (problem := storage_problem(state)):
        shown["lastError"] = problem
    return elsewhere


def _feed_rows(app: App) -> list[tuple[str, str]]:
    """What the vendor's feed says of this version, and of the page where they show what is counted."""
    settings = app.situation.settings
    if not settings.updates_key:
        return []
    from agent.updates.standing import summary
    from agent.verbs.asking import read_standing

    standing = read_standing(app)
    page = standing.found.feed.public_page if standing.found else ""
    return [
        ("updates", f"{summary(standing)} ({app.name} updates)"),
        *([("public page", f"{printable(page)} (what the vendor shows of such reports)")] if page else []),
    ]


def _held(app: App) -> str | None:
    """What is new in the catalogue since the operator was shown it."""
    shown = read_shown(app.situation.state)
    if shown == NEWEST:
        return None
    from agent.events.additions import additions

    return ", ".join(".".join(one.path) or one.carried_by for one in additions(shown))


def _usage(app: App) -> str:
    settings = app.situation.settings
    if settings.usage_widened:
        return f"no, they say more than you agreed to (to agree: {app.name} consent usage on)"
    return "yes" if settings.usage and app.situation.decision.sending else "no"


def _status_text(
    shown: dict[str, object],
    decision: Decision,
    app: App,
    elsewhere: int,
    feed_rows: list[tuple[str, str]],
) -> str:
    sending = "yes" if decision.sending else "no"
    held = _held(app) if decision.sending else None
    rows = [
        ("product", f"{shown['product']} {shown['version']}"),
        ("sending", f"{paint(sending, COLORS[sending], app)}, {printable(str(decision))}"),
        ("usage events", _usage(app)),
        ("instance id", shown["instanceId"] or "none yet"),
        ("last beat", shown["lastBeat"] or "none yet"),
        ("next beat", shown["nextBeat"] or "not planned"),
        ("endpoint", shown["endpoint"] or _no_endpoint(app)),
        ("waiting", f"{shown['waiting']}" + _elsewhere(elsewhere, app)),
        (REJECTED, shown["rejected"]),
        (DROPPED, shown["dropped"]),
        *feed_rows,
        *([("not sent yet", f"{held} (to see it: {app.name} preview --new)")] if held else []),
        ("last error", printable(str(shown["lastError"] or "none"))),
        ("state", printable(str(shown["stateDir"]))),
        ("docker.env", printable(str(shown["envFile"] or "none"))),
    ]
    lines = [f"{name:<13} {value}" for name, value in rows]
    me = app.name
    hints = [f"see what is sent: {me} preview", f"see what was sent: {me} log"]
    if decision.sending:
        hints.append(f"turn it off: {me} disable")
    elif decision_from_environment(app.environ) is None and not app.situation.locked_out:
        # a flag in the environment, or in another's file, is not ours to take away
        hints.append(f"turn it on: {me} enable")
    return "\n".join([*lines, "", "   ".join(hints)])


def _no_endpoint(app: App) -> str:
    if file := app.situation.locked_out:
        return f"not known: only root may read {file}"
    return "none: events wait on this machine"


def _elsewhere(count: int, app: App) -> str:
    if not count:
        return ""
    how = f"to take them out of the queue: {app.name} export FILE --settle"
    return f", of which {count} for another endpoint ({how})"


def _mention_what_only_silences(app: App) -> None:
    """Say so when a docker.env was found whose settings do not count."""
    for file in app.situation.env_files:
        if not file.trusted and file.fault not in (("unreadable", None), ("too-large", None)):
            app.say(
                f"the settings in {file.path} are not used, because another user owns or may write it;"
                " a flag in it still counts. To use them: chown it to yourself, and chmod go-w"
            )


def _mention_the_service(app: App) -> None:
    """Say so when the service on this machine keeps its state in another place than this caller."""
    situation = app.situation
    if service := situation.service_state:
        whose = "of your own user: what this user runs is reported under an id of its own"
        if "ROLLCALL_STATE_DIR" in situation.settings.sources:
            whose = "that ROLLCALL_STATE_DIR names"
        elif situation.locked_out:
            whose = (
                f"of your own user: only root may read {situation.locked_out},"
                " so nothing that this user runs is reported"
            )
        app.say(
            f"this is the state {whose}; the service keeps its state in {service}"
            f" (to see it: sudo {app.name} status)"
        )
