"""The verb `forget`: delete all that this machine remembers."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

from agent.app import DONE, App, CouldNot
from agent.base.files import sync_directory
from agent.base.locks import hold_lock
from agent.base.owner import become_owner
from agent.config.access import read_access
from agent.events import identity
from agent.events.shown import NEWEST, note_shown, read_shown
from agent.outbox.database import between_transactions
from agent.outbox.outbox import SENT, read_outbox

if TYPE_CHECKING:
    import argparse

    from agent.base.statedir import StateDir
    from agent.config.access import Access

SENDER_WAIT = 30.0
FORGETTING = "agent.delivery.forget"


def _access(app: App) -> Access:
    """The way to the endpoint. CouldNot where none is allowed or set: then nothing is deleted anywhere."""
    situation = app.situation
    decision = situation.standing_decision
    if not decision.sending:
        raise CouldNot(f"telemetry is off, so the endpoint cannot be asked: {decision}; nothing was deleted")
    if not situation.settings.endpoint:
        raise CouldNot("no endpoint is set, so none can be asked; nothing was deleted")
    return read_access(situation.settings)


def _forget_there(app: App, access: Access) -> None:
    """Have the endpoint delete what it holds, and print its receipt. CouldNot if anything may be left."""
    from agent.delivery.forget import NotForgotten, request_forgetting

    state, endpoint = app.situation.state, app.situation.settings.endpoint
    instance = app.read_instance()
    if instance is None:
        if identity.read(state) is not None:
            app.say("the id here was copied from another machine; what the endpoint holds of that one stays")
        elif os.path.lexists(state.id) or _ids_sent(state):
            raise CouldNot(
                f"{state.id} is damaged or gone, so the endpoint cannot be asked, and nothing was deleted:"
                f" ask its vendor to delete the anonymousId that {app.name} log --json shows,"
                f" then run {app.name} forget"
            )
        return
    with read_outbox(state) as outbox:
        others = [place for place in outbox.endpoints_sent_to() if place != endpoint] if outbox else []
    earlier = sorted(_ids_sent(state) - {instance})
    try:
        receipt = request_forgetting(endpoint, access, instance)
    except NotForgotten as why:
        raise CouldNot(f"{endpoint} did not delete the id: {why}; nothing was deleted here") from None
    print(json.dumps({"endpoint": endpoint, **receipt}), file=app.out)
    if earlier:
        app.say(
            f"events were also sent under {', '.join(earlier)}: this machine's id of before, or that of a"
            " machine whose disk was copied; what the endpoint holds of it stays; if it was this machine's,"
            " ask its vendor to delete it"
        )
    if others:
        raise CouldNot(
            f"events were also sent to {', '.join(others)}, so nothing was deleted here: to ask there too,"
            f" set ROLLCALL_ENDPOINT and its key; at the end run {app.name} forget"
        )


def _ids_sent(state: StateDir) -> set[str]:
    """Every id under which an event was sent that is still in the log."""
    with read_outbox(state) as outbox:
        sent = [entry.event for entry in outbox.entries() if entry.state == SENT] if outbox else []
    return {str(event["anonymousId"]) for event in sent if "anonymousId" in event}


def _memory(state: StateDir) -> list[str]:
    """What is deleted. What stays has no id.

    That is the note of which docker.env was read, for one that is gone must silence after this too; and the
    plan of a running daemon, for the daemon keeps it.
    """
    kept = {state.seen}
    if os.path.exists(state.daemon):
        with hold_lock(state.daemon, 0) as stopped:
            if not stopped:
                kept.add(state.due)
    return [path for path in state.memory() if path not in kept]


def _delete(state: StateDir, shown: int) -> None:
    """Delete all but what says that something new was not shown yet, which a new id does not change."""
    held = shown != NEWEST
    if held:
        with contextlib.suppress(OSError):  # a full disk, which has room afterwards
            note_shown(state, shown)
    gone = [path for path in _memory(state) if not held or path != state.shown]
    for path in gone:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    for folder in {os.path.dirname(path) for path in gone}:
        with contextlib.suppress(OSError):  # a file system that cannot
            sync_directory(folder)
    if held and read_shown(state) != shown:
        note_shown(state, shown)


def forget_instance(app: App, args: argparse.Namespace) -> int:
    """Delete the id, the queue and the log; with --everywhere first what the endpoint holds."""
    state = app.situation.state
    access = _access(app) if args.everywhere else None
    become_owner(state, *([FORGETTING] if access else []))
    if not state.exists():
        app.say(f"there is nothing to delete in {state.path}")
        return DONE
    shown = read_shown(state)
    with hold_lock(state.sender, SENDER_WAIT) as alone:
        if not alone:
            raise CouldNot("events are being sent at the moment; try again in a minute")
        if access:
            _forget_there(app, access)
        with between_transactions(state):
            _delete(state, shown)
    app.say(f"id, queue and log in {state.path} are deleted; the next id cannot be linked to the old one")
    return DONE
