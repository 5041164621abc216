"""Verbs that record and send: beat, flush, track, export."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, BinaryIO

from agent import events, facts, ids
from agent.app import COULD_NOT, DONE, App, CouldNot, WrongUse
from agent.files import replace
from agent.locks import held
from agent.outbox import EXPORTED, WAITING, Outbox, due_in
from agent.report import Report, write
from agent.settings import write_key
from agent.state import act_as_owner
from agent.wrapper import runs

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from agent.consent import Decision
    from agent.delivery import Result

BEAT_BUDGET = 30.0
EXPORT_PAGE = 500
NO_INSTANCE = "00000000-0000-0000-0000-000000000000"
"""Stands for the id until all else about an event is known to be right."""


@dataclass
class Outcome:
    """What a verb learned on its way, for the report and the exit code."""

    alive: bool | None = None
    recorded: bool = False
    waiting: int = 0
    retry_in: float | None = None
    last_error: str | None = None
    last_beat: str | None = None


def beat(app: App, args: argparse.Namespace) -> int:
    """Record one Instance Active, if alive and allowed, and deliver what waits."""
    situation = app.situation
    decision, outcome = situation.standing_decision, Outcome()
    if decision.sending:
        settings, key = situation.settings, write_key(situation.settings)
        from agent.health import alive

        outcome.alive = alive(settings.health)
        act_as_owner(situation.state)
        with _outbox_and_runs(app) as outbox:
            if outcome.alive:
                _remember_files(app)
                _record_beat(app, outbox, args.slot)
                outcome.recorded = True
            _deliver(app, outbox, key, outcome, budget=BEAT_BUDGET, patient=False)
    else:
        be_silent(app, decision)
    _tell(app, decision, outcome, args)
    return DONE


def flush(app: App, args: argparse.Namespace) -> int:
    """Deliver what waits."""
    situation = app.situation
    decision, outcome = situation.standing_decision, Outcome()
    if decision.sending:
        key = write_key(situation.settings)
        act_as_owner(situation.state)
        if situation.state.exists():
            with _outbox_and_runs(app) as outbox:
                _deliver(app, outbox, key, outcome, budget=args.budget, patient=not args.report)
    else:
        be_silent(app, decision)
    _tell(app, decision, outcome, args)
    return DONE if outcome.retry_in is None else COULD_NOT


def track(app: App, args: argparse.Namespace) -> int:
    """Record one usage event, if they were opted in to; the next flush or beat sends it."""
    properties = dict(_property(text) for text in args.properties)
    situation = app.situation
    allowed = situation.decision.sending and situation.settings.usage
    try:
        event = events.build_usage(
            args.event,
            properties,
            app.origin(NO_INSTANCE),
            message_id=ids.uuid7(app.now()),
            timestamp=app.now(),
        )
    except events.NotInCatalogue as why:
        raise WrongUse(str(why)) from None
    if allowed:
        act_as_owner(situation.state)
        event["anonymousId"] = app.ensure_instance()
        with _outbox_and_runs(app) as outbox:
            outbox.record(event, situation.settings.endpoint)
    return DONE


def export(app: App, args: argparse.Namespace) -> int:
    """Write what waits as JSON lines, for a site without a network."""
    situation = app.situation
    if not situation.decision.sending:
        be_silent(app, situation.decision)
        app.say("silent: nothing waits")
        return DONE
    with _export_file(args.file) as file:
        act_as_owner(situation.state)
        seqs = []
        if situation.state.exists():
            with _outbox_and_runs(app) as outbox:
                seqs = _export(outbox, file, args.file)
                if args.settle:
                    outbox.settle(seqs, EXPORTED)
    app.say(f"{len(seqs)} events were written to {args.file}" + (", and let go of" if args.settle else ""))
    return DONE


def be_silent(app: App, decision: Decision) -> None:
    """Erase what waits, making nothing where there is nothing; a passing silence only holds it."""
    if decision.passing:
        return
    state = app.situation.state
    act_as_owner(state)
    runs.discard(state)
    if os.path.exists(state.outbox):
        with _outbox(app) as outbox:
            outbox.erase()


@contextlib.contextmanager
def _outbox(app: App) -> Iterator[Outbox]:
    with contextlib.closing(Outbox(app.situation.state, now=app.now)) as outbox:
        yield outbox


@contextlib.contextmanager
def _outbox_and_runs(app: App) -> Iterator[Outbox]:
    """The outbox, with what wrapped installs have left beside it taken in."""
    with _outbox(app) as outbox:
        state = app.situation.state
        if runs.waiting(state):
            runs.collect(state, outbox, app.ensure_instance(), facts.system(app.root))
        yield outbox


def _remember_files(app: App) -> None:
    """Note which docker.env files were read, so that one that goes missing is missed."""
    paths = b"\0".join(os.fsencode(file.path) for file in app.situation.env_files)
    seen = app.situation.state.seen
    if paths:
        app.situation.state.make()
        replace(seen, paths)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(seen)


def _record_beat(app: App, outbox: Outbox, slot: int | None) -> None:
    """Keep a heartbeat; for a slot that has one already, this is done."""
    instance, now = app.ensure_instance(), app.now()
    event = events.build(
        events.ACTIVE,
        {"instanceId": instance},
        app.origin(instance),
        message_id=ids.uuid7(now),
        timestamp=now,
    )
    outbox.record(event, app.situation.settings.endpoint, slot=slot)


def _deliver(app: App, outbox: Outbox, key: str, outcome: Outcome, *, budget: float, patient: bool) -> None:
    """One sender at a time; a second waits for the first within its budget."""
    endpoint, until = app.situation.settings.endpoint, time.monotonic() + budget
    if budget > 0 and endpoint and outbox.count(WAITING):
        with held(app.situation.state.sender, budget) as alone:
            if alone:
                result = _drain(app, outbox, key, until - time.monotonic(), patient=patient)
                outcome.last_error = result.waiting
                for message in result.messages:
                    app.say(message)
            else:
                outcome.last_error = "another flush is at work"
    outcome.waiting, outcome.last_beat = outbox.count(WAITING), outbox.last_beat()
    if endpoint and outbox.count_for(endpoint):
        outcome.retry_in = due_in(outbox.trouble(endpoint), app.now())


def _drain(app: App, outbox: Outbox, key: str, budget: float, *, patient: bool) -> Result:
    from agent.delivery import Drain
    from agent.transport import Transport

    endpoint, before = app.situation.settings.endpoint, app.situation.stamps()
    with contextlib.closing(Transport(endpoint, key, now=app.now)) as transport:
        return Drain(
            outbox,
            endpoint,
            transport.send,
            budget=budget,
            patient=patient,
            still_allowed=lambda: app.situation.stamps() == before,
            now=app.now,
        ).run()


def _tell(app: App, decision: Decision, outcome: Outcome, args: argparse.Namespace) -> None:
    if args.report:
        print(_report(app, decision, outcome), file=app.out)
    elif outcome.retry_in is not None and args.verb == "flush":
        why = outcome.last_error or "there was no time to send"
        app.say(f"{outcome.waiting} events wait: {why}; next try in {outcome.retry_in:.0f} s")


def _report(app: App, decision: Decision, outcome: Outcome) -> str:
    settings = app.situation.settings
    return write(
        Report(
            sending=decision.sending,
            rule=decision.rule,
            source=decision.source,
            interval=settings.interval,
            first_delay=settings.first_delay,
            jitter=settings.jitter,
            state_dir=settings.state_dir,
            files=app.situation.stamps(),
            **asdict(outcome),
        )
    )


def _property(text: str) -> tuple[str, events.Scalar]:
    """`key=text` or `key:=json`, where json is a scalar."""
    key, equals, value = text.partition("=")
    scalar: events.Scalar | list[object] | dict[str, object] = value
    try:
        if key.endswith(":"):
            scalar = json.loads(value, parse_constant=_no_constant)
        json.dumps([key, scalar], ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        scalar = []
    if isinstance(scalar, (dict, list)) or not equals or not key.strip(":"):
        raise WrongUse(
            f"-p {text!r} is not understood; it takes key=text, "
            "or key:= and a number, true, false, null or text in quotes"
        )
    return key.removesuffix(":"), scalar


def _no_constant(name: str) -> object:
    raise ValueError(name)


@contextlib.contextmanager
def _export_file(name: str) -> Iterator[BinaryIO]:
    """The file that is written to, opened as the caller; one that exists is left alone.

    One that could not be written whole is no export, and goes.
    """
    if name == "-":
        yield sys.stdout.buffer
        return
    try:
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise CouldNot(f"{name} exists; choose another name") from None
    try:
        with open(handle, "wb") as file:
            yield file
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _export(outbox: Outbox, file: BinaryIO, name: str) -> list[int]:
    """Write what waits, durably, page by page; which rows they were."""
    seqs: list[int] = []
    zipped = gzip.GzipFile(fileobj=file, mode="wb", mtime=0) if name.endswith(".gz") else None
    target = zipped or file
    while page := outbox.waiting_anywhere(after=seqs[-1] if seqs else 0, limit=EXPORT_PAGE):
        for seq, text in page:
            target.write(text.encode() + b"\n")
            seqs.append(seq)
    if zipped:
        zipped.close()
    file.flush()
    with contextlib.suppress(OSError):
        os.fsync(file.fileno())
    return seqs
