"""Verbs that send: beat, which records first, and flush."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from agent.app import COULD_NOT, DONE, App
from agent.base.deputy import deputy_for
from agent.base.files import FileStamp, replace_file
from agent.base.locks import hold_lock
from agent.base.messages import counted
from agent.base.owner import ActingAsOwner, become_owner
from agent.config import credentials
from agent.config.access import read_access
from agent.config.situation import files_last_read
from agent.delivery.backoff import EAGER_BACKOFF, seconds_to_next_try
from agent.events import catalogue
from agent.heartbeat.answer import ChildAnswer, answer_line
from agent.outbox import intake
from agent.outbox.bundles import bundles_address, sweep_bundles, waiting_bundles
from agent.outbox.errors import OutboxError
from agent.outbox.outbox import WAITING, Outbox
from agent.verbs.asking import FETCHING, FeedNews, Question, feed_news, feed_standing
from agent.verbs.version import follow_version

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from agent.config.access import Access
    from agent.config.consent import Decision
    from agent.delivery.drain import DrainResult, Manner

BEAT_BUDGET = 30.0
ERASE_AGAIN = 900.0
"""Seconds until the daemon tries once more to erase what a full or read-only disk did not let go of."""
SENDING = (*intake.RECORDING, "agent.delivery.drain", "agent.delivery.transport", "agent.delivery.bundles")
"""Imported only where something is sent."""


@dataclass
class SendResult:
    """What a verb learned, for its answer to the daemon and its exit code."""

    files: list[FileStamp]
    """As they were before any was read: an edit that comes later is one that was not seen."""
    alive: bool | None = None
    recorded: bool = False
    waiting: int = 0
    retry_in: float | None = None
    last_error: str | None = None
    last_beat: str | None = None
    feed_in: float | None = None
    feed_problem: str | None = None
    critical: str | None = None

    def tell(self, news: FeedNews) -> None:
        """Add what is known of the release feed."""
        self.feed_in, self.feed_problem, self.critical = news


@dataclass(frozen=True)
class Sending:
    """How a delivery may go: with which key and proxy, while what is allowed, for how many seconds."""

    access: Access
    still_allowed: Callable[[], bool]
    budget: float
    manner: Manner = "once"


def send_beat(app: App, args: argparse.Namespace) -> int:
    """Record one Instance Active, if alive and allowed, and deliver what waits."""
    situation = app.situation
    result = SendResult(situation.file_stamps())
    decision = situation.standing_decision
    if decision.sending:
        settings, access = situation.settings, read_access(situation.settings)
        from agent.heartbeat.health import is_alive

        result.alive = is_alive(settings.health, settings.ca_file)
        standing = feed_standing(app) if args.report else None
        with _opened(app, result) as (outbox, still_allowed):
            if result.alive:
                _remember_files(app)
                instance = app.ensure_instance()
                _record_beat(app, outbox, instance, args.slot)
                follow_version(app, outbox, instance)
                outbox.purge()  # the log's 90 days hold also where nothing is delivered
                result.recorded = True
            sending = Sending(access, still_allowed, BEAT_BUDGET)
            _deliver(app, outbox, sending, result)
            result.tell(feed_news(app, standing, ask=None))
    else:
        _be_silent(app, decision, result, args)
    _tell(app, decision, result, args)
    return DONE


def flush_outbox(app: App, args: argparse.Namespace) -> int:
    """Deliver what waits. The wrapper's own looks for docker.env in a folder that it does not stand in."""
    if args.folder is not None:
        app.cwd = args.folder
        app.reread_situation()
    situation = app.situation
    result = SendResult(situation.file_stamps())
    decision = situation.standing_decision
    if decision.sending:
        access = read_access(situation.settings)
        if situation.state.exists():
            try:
                _flush(app, access, result, args)
            except (OutboxError, OSError) as why:
                if not (args.eager and situation.settings.endpoint):
                    raise
                # A failed install may have filled the disk. The sender that follows it is to try again.
                result.retry_in, result.last_error = EAGER_BACKOFF, str(why)
        if args.report and not args.eager:
            _remember_files_at_start(app)
    else:
        _be_silent(app, decision, result, args)
    _tell(app, decision, result, args)
    return DONE if result.retry_in is None else COULD_NOT


def _flush(app: App, access: Access, result: SendResult, args: argparse.Namespace) -> None:
    """Take in what runs left, deliver, and do what else was asked for."""
    standing = feed_standing(app) if args.report else None
    with _opened(app, result, *(FETCHING if args.feed else ())) as (outbox, still_allowed):
        manner: Manner = "eager" if args.eager else "once" if args.report else "patient"
        sending = Sending(access, still_allowed, args.budget, manner)
        _deliver(app, outbox, sending, result)
        if not args.report:
            _say_what_waits_elsewhere(app, outbox)
        ask = Question(access, still_allowed) if args.feed and still_allowed() else None
        result.tell(feed_news(app, standing, ask))


@contextlib.contextmanager
def _opened(app: App, result: SendResult, *modules: str) -> Iterator[tuple[Outbox, Callable[[], bool]]]:
    """The outbox, as its owner; and whether every docker.env is as it was, asked as the caller."""
    situation = app.situation
    with deputy_for(lambda: situation.file_stamps() == result.files, situation.state) as still_allowed:
        become_owner(situation.state, *SENDING, *modules)
        with intake.open_outbox(situation, app.now) as outbox:
            yield outbox, still_allowed


def _be_silent(app: App, decision: Decision, result: SendResult, args: argparse.Namespace) -> None:
    """Erase what waits; a silence that may pass only holds it. The daemon hears of it in any case."""
    if decision.passing:
        return
    try:
        intake.erase_waiting(app.situation, app.now)
    except (OutboxError, OSError) as why:
        if not args.report:
            raise
        result.retry_in, result.last_error = ERASE_AGAIN, str(why)
        app.say(f"the waiting events cannot be erased: {why}; next try in {ERASE_AGAIN / 60:.0f} minutes")


def _remember_files(app: App) -> None:
    """Note which docker.env files were read, so that one that goes missing is missed.

    Of a copy that systemd made, the file itself is noted: root's verbs look for that one.
    """
    state = app.situation.state
    copied = {copy: file for copy, file in credentials.env_files(app.environ) if os.path.lexists(file)}
    paths = list(dict.fromkeys(copied.get(file.path, file.path) for file in app.situation.env_files))
    if paths == files_last_read(state):
        return
    if paths:
        state.make()
        replace_file(state.seen, b"\0".join(map(os.fsencode, paths)))
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(state.seen)


def _remember_files_at_start(app: App) -> None:
    """The daemon's check, which comes long before the first beat. It goes on where nothing can be noted."""
    with contextlib.suppress(OSError), ActingAsOwner(app.situation.state):
        _remember_files(app)


def _record_beat(app: App, outbox: Outbox, instance: str, slot: int | None) -> None:
    """Keep a heartbeat; for a slot that has one already, this is done."""
    event = catalogue.build(
        catalogue.ACTIVE, {"instanceId": instance}, app.origin(instance), timestamp=app.now()
    )
    outbox.record(event, app.situation.settings.endpoint, slot=slot)


def _deliver(app: App, outbox: Outbox, sending: Sending, result: SendResult) -> None:
    """One sender at a time; a second waits for the first within its budget."""
    endpoint, until = app.situation.settings.endpoint, time.monotonic() + sending.budget
    if sending.budget > 0 and endpoint and outbox.count(WAITING):
        with hold_lock(app.situation.state.sender, sending.budget) as alone:
            if alone:
                drained = _drain(app, outbox, sending, left=until - time.monotonic())
                waiting, messages = _send_bundles(app, outbox, sending, left=until - time.monotonic())
                result.last_error = drained.waiting or waiting
                for message in [*drained.messages, *messages]:
                    app.say(message)
            else:
                result.last_error = "another process is sending"
    result.waiting, result.last_beat = outbox.count(WAITING), outbox.last_beat()
    result.retry_in = _next_try(app, outbox, endpoint) if endpoint else None


def _next_try(app: App, outbox: Outbox, endpoint: str) -> float | None:
    """Seconds until what waits is tried again; None if nothing waits for this endpoint."""
    places = [endpoint] if outbox.count_for(endpoint) else []
    if waiting_bundles(outbox, endpoint):
        places.append(bundles_address(endpoint))
    return min((seconds_to_next_try(outbox.trouble(place), app.now()) for place in places), default=None)


def _send_bundles(app: App, outbox: Outbox, sending: Sending, *, left: float) -> tuple[str | None, list[str]]:
    """Send the support bundles that wait. Why one still does, and what is to be said."""
    endpoint, state = app.situation.settings.endpoint, app.situation.state
    if not waiting_bundles(outbox, endpoint):
        if state.bundle_files():  # of a sender that was killed
            sweep_bundles(state, outbox)
        return None, []
    from agent.delivery.bundles import BundleSender, deliver_bundles

    sender = BundleSender(
        endpoint, sending.access, budget=left, still_allowed=sending.still_allowed, now=app.now
    )
    return deliver_bundles(state, outbox, endpoint, sender, now=app.now, eager=sending.manner == "eager")


def _drain(app: App, outbox: Outbox, sending: Sending, *, left: float) -> DrainResult:
    from agent.delivery.drain import Drain
    from agent.delivery.transport import Transport

    endpoint = app.situation.settings.endpoint
    with contextlib.closing(Transport(endpoint, sending.access, now=app.now)) as transport:
        return Drain(
            outbox,
            endpoint,
            transport.send,
            budget=left,
            manner=sending.manner,
            still_allowed=sending.still_allowed,
            now=app.now,
        ).deliver_waiting()


def _tell(app: App, decision: Decision, result: SendResult, args: argparse.Namespace) -> None:
    """The answer to the daemon; or words for a person. Whoever runs `beat` by cron wants none."""
    if args.report:
        print(_report(app, decision, result), file=app.out)
    elif args.verb == "beat":
        if app.err.isatty():
            app.say(_beat_text(app, decision, result))
    elif result.retry_in is not None:
        app.say(_waiting_text(result))


def _waiting_text(result: SendResult) -> str:
    waiting = counted(result.waiting, "event is waiting", "events are waiting")
    why = result.last_error or "there was no time to send"
    return f"{waiting}: {why}; next try in {result.retry_in:.0f} s"


def _beat_text(app: App, decision: Decision, result: SendResult) -> str:
    if not decision.sending:
        return f"no heartbeat was recorded, as telemetry is off: {decision}"
    done = "a heartbeat was recorded"
    if not result.alive:
        done = "no heartbeat was recorded, as what ROLLCALL_HEALTH names is not alive"
    if result.retry_in is not None:
        return f"{done}; {_waiting_text(result)}"
    if not app.situation.settings.endpoint:
        return f"{done}; no endpoint is set, so events wait on this machine"
    return f"{done} and sent" if result.alive else done


def _say_what_waits_elsewhere(app: App, outbox: Outbox) -> None:
    """A flush is done without what was recorded for another endpoint; it says that this waits."""
    if count := outbox.waiting_elsewhere(app.situation.settings.endpoint):
        waiting = counted(count, "event is waiting", "events are waiting")
        how = f"to take them out of the queue: {app.name} export FILE --settle"
        app.say(f"{waiting} for another endpoint; {how}")


def _report(app: App, decision: Decision, result: SendResult) -> str:
    settings = app.situation.settings
    return answer_line(
        ChildAnswer(
            sending=decision.sending,
            rule=decision.rule,
            source=decision.source,
            interval=settings.interval,
            first_delay=settings.first_delay,
            jitter=settings.jitter,
            state_dir=settings.state_dir,
            **asdict(result),
        )
    )
