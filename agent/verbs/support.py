"""The verb `support`: ask for help for the last install that failed."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

from agent.app import DONE, App, CouldNot, WrongUse
from agent.base import ids
from agent.base.owner import become_owner
from agent.events import catalogue
from agent.outbox import intake
from agent.wrapper.person.email import ask_for_email

if TYPE_CHECKING:
    import argparse

    from agent.outbox.outbox import Outbox


def request_support(app: App, args: argparse.Namespace) -> int:
    """Record Installation Support for the newest Installation Errors, with an address."""
    decision = app.situation.decision
    if not decision.sending:
        raise CouldNot(f"telemetry is off: {decision}; nothing is sent")
    if args.email is not None and not re.fullmatch(catalogue.EMAIL, args.email):
        raise WrongUse(f"{args.email!r} is not an e-mail address")
    become_owner(app.situation.state, *intake.RECORDING)
    if not app.situation.state.exists():
        raise CouldNot("no failed install is on record")
    with intake.open_outbox(app.situation, app.now) as outbox:
        failed, endpoint = _last_failure(outbox)
        email = args.email if args.email is not None else _ask_for_email(app)
        if not email:
            app.say("no address was given, so nothing is sent")
            return DONE
        origin = app.origin(app.ensure_instance())
        event = catalogue.build(
            catalogue.SUPPORT,
            {"os": origin.system.name, "email": email, "reference": failed[:8]},
            origin,
            message_id=ids.uuid7(app.now()),
            timestamp=app.now(),
            installation=failed,
        )
        outbox.record(event, endpoint)
    app.say(f"help is requested; please quote {failed[:8]}")
    return DONE


def _last_failure(outbox: Outbox) -> tuple[str, str]:
    """The installation's id, and the endpoint its failure was recorded for."""
    for entry in reversed(outbox.entries()):
        if entry.name == catalogue.ERRORS and entry.payload is not None:
            return json.loads(entry.payload)["context"]["installation"]["id"], entry.endpoint or ""
    raise CouldNot("no failed install is on record")


def _ask_for_email(app: App) -> str:
    """An address from the terminal; empty if none is given."""
    if not sys.stdin.isatty():
        raise WrongUse("there is no terminal to ask on; use --email ADDRESS")

    def read_answer(question: str) -> str:
        print(question, end="", file=app.err, flush=True)
        return sys.stdin.readline().strip()

    return ask_for_email(app.name, read_answer) or ""
