"""The verb `updates`: which release or advisory of the vendor's feed concerns this version."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from agent.app import DONE, App, CouldNot, WrongUse
from agent.base.files import read_small
from agent.base.messages import printable
from agent.base.owner import become_owner
from agent.config.access import read_access
from agent.updates import watch
from agent.updates.accept import Refused, day
from agent.updates.feed import MOST_BYTES
from agent.updates.match import ADVISORY, CURRENT, NEWER, UNKNOWN
from agent.updates.minisign import SUFFIX

if TYPE_CHECKING:
    import argparse

    from agent.updates.feed import Advisory, Release
    from agent.updates.watch import Known

CODES = {CURRENT: DONE, UNKNOWN: 1, NEWER: 3, ADVISORY: 4}
"""The exit codes that this verb alone has."""
ASKING = ("agent.updates.fetch", "cryptography.hazmat.primitives.asymmetric.ed25519")
"""Imported before this process acts as the state directory's owner."""


def show_updates(app: App, args: argparse.Namespace) -> int:
    """Say what is known, or ask, or take in a feed from a file."""
    settings, state = app.situation.settings, app.situation.state
    if not settings.updates_key:
        raise CouldNot("this software names no feed of releases (ROLLCALL_UPDATES_URL, ROLLCALL_UPDATES_KEY)")
    if args.what:
        if args.check or args.what != "import" or not args.file:
            raise WrongUse(f"to take in a feed: {app.name} updates import FEED")
        known: Known | None = _import(app, args.file)
    elif args.check:
        known = _check(app)
    else:
        become_owner(state)
        known = watch.read_known(settings, state, app.now())
    _tell(app, known, as_json=args.json)
    return CODES[known.verdict.state] if known else CODES[UNKNOWN]


def check_updates(app: App) -> None:
    """Ask the feed, where that is allowed; what the daemon's child does once a day."""
    settings = app.situation.settings
    access = read_access(settings)
    _become_owner(app)
    watch.ask(settings, app.situation.state, access, app.now())


def _check(app: App) -> Known | None:
    situation = app.situation
    decision = situation.standing_decision
    if not decision.sending:
        raise CouldNot(f"telemetry is off ({printable(str(decision))}), so nothing is asked")
    if not situation.settings.updates:
        raise CouldNot("ROLLCALL_UPDATES is false, so nothing is asked")
    if not situation.settings.updates_url:
        raise CouldNot("there is no address to ask (ROLLCALL_UPDATES_URL)")
    check_updates(app)
    return watch.read_known(situation.settings, situation.state, app.now())


def _import(app: App, path: str) -> Known:
    """A feed that somebody carried here, with its signature beside it."""
    situation = app.situation
    try:
        signed = read_small(path, MOST_BYTES), read_small(path + SUFFIX, MOST_BYTES)
    except ValueError:
        raise CouldNot(f"{path}: it, or the signature beside it, is no file of at most 256 KiB") from None
    _become_owner(app)
    try:
        return watch.take_in(situation.settings, situation.state, signed, app.now())
    except Refused as why:
        raise CouldNot(f"{os.path.basename(path)} is not taken: {why}") from None


def _become_owner(app: App) -> None:
    try:
        become_owner(app.situation.state, *ASKING)
    except ImportError:
        become_owner(app.situation.state)  # to verify says what is missing


def _tell(app: App, known: Known | None, *, as_json: bool) -> None:
    settings = app.situation.settings
    if as_json:
        print(json.dumps(watch.summary(settings, known or watch.nothing_known(settings))), file=app.out)
    elif known and known.feed:
        for line in _lines(app, known):
            print(line, file=app.out)
    if known and known.memory.trouble:
        app.say(f"the last question brought nothing: {printable(known.memory.trouble)}")
    if known and known.stale and known.feed:
        app.say(f"stale: what is known has expired on {day(known.feed.expires)}")
    if not (known and known.feed):
        app.say(f"nothing is known yet; to ask now: {app.name} updates --check")
    elif known.verdict.state == UNKNOWN:
        app.say(f"the version {printable(settings.product_version)} cannot be compared with others")


def _lines(app: App, known: Known) -> list[str]:
    settings, verdict = app.situation.settings, known.verdict
    lines = [f"{printable(settings.product)} {printable(settings.product_version)}"]
    for advisory in verdict.advisories:
        lines += ["", *_advisory(advisory)]
    if verdict.next:
        lines += ["", *_release(verdict.next)]
    if verdict.latest and verdict.latest != verdict.next:
        first = f", after {printable(verdict.next.version)}" if verdict.next else ""
        lines += ["", f"the latest is {printable(verdict.latest.version)}{first}"]
    if verdict.state == CURRENT:
        lines.append("up to date")
    return lines


def _advisory(one: Advisory) -> list[str]:
    fixed = f"; fixed in {', '.join(one.fixed_in)}" if one.fixed_in else ""
    head = f"ADVISORY {one.id} ({one.severity}, {one.date}){fixed}"
    return [printable(head), *_paragraph(one.summary), *_paragraph(one.url)]


def _release(one: Release) -> list[str]:
    return [printable(f"{one.version} is there ({one.date})"), *_paragraph(one.notes), *_paragraph(one.url)]


def _paragraph(text: str) -> list[str]:
    """The text of a vendor, inert: no control character reaches the terminal."""
    return [f"  {printable(line)}" for line in text.splitlines() if line.strip()]
