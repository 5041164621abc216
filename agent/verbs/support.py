"""The verb `support`: ask for help for the last install that failed."""

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.app import DONE, App, CouldNot, WrongUse
from agent.base import ids
from agent.base.owner import ActingAsOwner
from agent.config.access import access_problem
from agent.events import catalogue
from agent.outbox import intake
from agent.outbox.outbox import DELETED, DROPPED, REJECTED, WAITING, read_outbox
from agent.wrapper.person.email import ask_for_email
from agent.wrapper.process.caller import Environment
from agent.wrapper.process.flusher import start_flush

if TYPE_CHECKING:
    import argparse

    from agent.outbox.outbox import LogEntry, Outbox, Trouble

KNOWN_WITHIN = 10.0
"""So long at most the person waits to hear whether the request was sent."""
LOOK_AGAIN = 0.1


def request_support(app: App, args: argparse.Namespace) -> int:
    """Record Installation Support for the newest Installation Errors, with an address, and deliver it."""
    decision, settings, state = app.situation.decision, app.situation.settings, app.situation.state
    if not decision.sending:
        raise CouldNot(f"telemetry is off: {decision}; nothing is sent")
    if args.bundle:
        from agent.verbs.bundle import make_bundle  # few ask for one

        return make_bundle(app, args)
    if args.out or args.yes:
        raise WrongUse("--out and --yes belong to --bundle")
    if args.email is not None and not re.fullmatch(catalogue.EMAIL, args.email):
        raise WrongUse(f"{args.email!r} is not an e-mail address")
    if not state.exists():
        raise CouldNot("no failed install is on record")
    for module in intake.RECORDING:
        __import__(module)  # its owner may not be able to read our files
    with ActingAsOwner(state), intake.open_outbox(app.situation, app.now) as outbox:
        failed = _last_failure(outbox)
    if args.email is None and not settings.endpoint:
        raise CouldNot(
            "no endpoint is set, so nothing can be sent from here; please ask your vendor for help directly,"
            f" quote {failed.reference}, and send along what this writes: {app.name} export FILE"
        )
    email = args.email if args.email is not None else _ask_for_email(app)
    if not email:
        app.say("no address was given, so nothing is sent")
        return DONE
    with ActingAsOwner(state), intake.open_outbox(app.situation, app.now) as outbox:
        known = _same_request(outbox, failed, email)
        request = known or _record(app, outbox, failed, email)
        before = outbox.trouble(settings.endpoint)
    if known:
        app.say(f"this was requested before; please quote {failed.reference}")
    else:
        app.say(f"help is requested; please quote {failed.reference}")
    return _deliver(app, request, before)


@dataclass(frozen=True)
class Failure:
    """A failed install: its id, what it was for, and the endpoint that its failure was recorded for."""

    installation: str
    environment: str
    endpoint: str

    @property
    def reference(self) -> str:
        return self.installation[:8]


def _last_failure(outbox: Outbox) -> Failure:
    for entry in reversed(outbox.entries()):
        if entry.name == catalogue.ERRORS and entry.told:
            run = entry.told["context"]["installation"]
            return Failure(run["id"], run.get("environment", ""), entry.endpoint or "")
    raise CouldNot("no failed install is on record")


def _same_request(outbox: Outbox, failed: Failure, email: str) -> str | None:
    """The messageId of a request for this install with this address."""
    for entry in outbox.entries():
        if entry.name == catalogue.SUPPORT and (event := entry.told):
            same = event["context"]["installation"]["id"] == failed.installation
            if same and event["properties"]["email"] == email:
                return entry.message_id
    return None


def _record(app: App, outbox: Outbox, failed: Failure, email: str) -> str:
    origin = replace(app.origin(app.ensure_instance()), environment=failed.environment)
    message_id = ids.uuid7(app.now())
    event = catalogue.build(
        catalogue.SUPPORT,
        {"os": origin.system.name, "email": email, "reference": failed.reference},
        origin,
        message_id=message_id,
        timestamp=app.now(),
        installation=failed.installation,
    )
    outbox.record(event, failed.endpoint)
    return message_id


def _deliver(app: App, request: str, before: Trouble | None) -> int:
    """Start the sender, and say what became of the request, as far as that is known soon."""
    settings, state = app.situation.settings, app.situation.state
    problem = access_problem(settings) if settings.endpoint else None
    started = bool(settings.endpoint) and problem is None
    if started:
        entries = [os.fsencode(f"{name}={value}") for name, value in app.environ.items()]
        start_flush(Environment(entries), app.situation, ending=True)
    until = time.monotonic() + (KNOWN_WITHIN if started else 0)
    while True:
        with ActingAsOwner(state), read_outbox(state) as outbox:
            found = outbox.find(request) if outbox else None
            trouble = outbox.trouble(settings.endpoint) if outbox else None
        known = found is None or found.state != WAITING or trouble not in (None, before)
        elsewhere = found is not None and found.endpoint not in (None, settings.endpoint)
        if known or elsewhere or time.monotonic() >= until:
            break
        time.sleep(LOOK_AGAIN)
    if found is None or found.state in (REJECTED, DELETED, DROPPED):
        raise CouldNot(f"the request was not sent: it was {found.state if found else 'deleted'}")
    if found.state == WAITING:
        app.say(f"the request is waiting: {problem or _why_it_waits(app, found, trouble)}")
    else:
        app.say(f"the request was {found.state}")
    return DONE


def _why_it_waits(app: App, request: LogEntry, trouble: Trouble | None) -> str:
    endpoint, name = app.situation.settings.endpoint, app.name
    if not endpoint:
        return f"no endpoint is set; to take it to your vendor: {name} export FILE"
    if request.endpoint not in (None, endpoint):
        return f"the install was recorded for {request.endpoint}, and ROLLCALL_ENDPOINT is another now"
    if trouble is not None:
        return f"{trouble.error}; it is tried again for three hours, and by every later {name} flush"
    return f"it is being sent; to see what becomes of it: {name} log"


def _ask_for_email(app: App) -> str:
    """An address from the terminal; empty if none is given."""
    if not sys.stdin.isatty():
        raise WrongUse("there is no terminal to ask on; use --email ADDRESS")

    def read_answer(question: str) -> str:
        print(question, end="", file=app.err, flush=True)
        return sys.stdin.readline().strip()

    return ask_for_email(app.situation.name, read_answer) or ""
