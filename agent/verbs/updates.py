"""The verb `updates`: which release or advisory concerns this version, by the vendor's signed feed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent.app import COULD_NOT, DONE, App, CouldNot, WrongUse
from agent.base.deputy import deputy_for
from agent.base.files import read_small
from agent.base.messages import printable
from agent.base.owner import become_owner
from agent.config.access import read_access
from agent.updates.feed import LONGEST_FEED
from agent.updates.kept import new_kept, read_kept
from agent.updates.minisign import LONGEST_SIGNATURE, CannotVerify
from agent.updates.standing import UNBELIEVED, Standing, answer, judge, summary
from agent.verbs.asking import (
    FETCHING,
    NEEDED,
    accept_feed,
    ask_for_feed,
    keep_feed,
    read_standing,
    why_not_asked,
)

if TYPE_CHECKING:
    import argparse

    from agent.config.settings import Settings

NEWER, ADVISORY = 3, 4
"""The exit codes of this verb alone: there is something newer; an advisory concerns this version."""
CODES = {"unknown": COULD_NOT, "current": DONE, "newer": NEWER, "advisory": ADVISORY}


def show_updates(app: App, args: argparse.Namespace) -> int:
    """Show what concerns this version. Asks for the feed only with --check; `import` takes it from a file."""
    if (args.feed is not None) != (args.action == "import") or (args.check and args.action):
        raise WrongUse(f"use: {app.name} updates [--check] [--json], or {app.name} updates import FEED")
    if args.action:
        standing = _import_feed(app, args.feed)
    elif args.check:
        standing = _check_now(app)
    else:
        standing = read_standing(app)
    if standing.problem or not standing.kept.feed:
        app.say(standing.problem or standing.kept.problem or _nothing_yet(app))
    settings = app.situation.settings
    text = json.dumps(answer(standing, settings)) if args.json else _text(standing, settings)
    if text:
        print(text, file=app.out)
    return CODES[standing.state]


def _nothing_yet(app: App) -> str:
    if not app.situation.settings.updates_key:
        return "there is no feed: ROLLCALL_UPDATES_URL and ROLLCALL_UPDATES_KEY name the vendor's"
    return f"there is no feed on this machine yet; to get it: {app.name} updates --check"


def _check_now(app: App) -> Standing:
    """Ask for the feed, if that is allowed, and as long as no docker.env changes."""
    stamps = app.situation.file_stamps()
    situation = app.reread_situation()
    if why := why_not_asked(app):
        app.say(f"the feed is not asked for: {why}")
        return read_standing(app)
    access = read_access(situation.settings)
    with deputy_for(lambda: situation.file_stamps() == stamps, situation.state) as still_allowed:
        _become_owner(app, *FETCHING)
        return ask_for_feed(app, access, still_allowed)


def _import_feed(app: App, path: str) -> Standing:
    """Take a feed from a file, as on a site without a network. A silent one shows it and keeps nothing."""
    if not app.situation.settings.updates_key:
        raise CouldNot("ROLLCALL_UPDATES_KEY is not set; it is the vendor's public key")
    data, signature = _read(path, LONGEST_FEED), _read(path + ".minisig", LONGEST_SIGNATURE)
    _become_owner(app)
    try:
        kept = read_kept(app.situation.state) or new_kept()
        kept = accept_feed(app, kept, data, signature.decode("utf-8", "replace"))
    except UNBELIEVED as why:
        raise CouldNot(f"{path} is refused: {why}") from None
    if not app.situation.standing_decision.sending:
        app.say("telemetry is off, so nothing is written: the feed is shown once and not kept")
        return judge(kept, app.situation.settings, app.now())
    return keep_feed(app, kept)


def _read(path: str, longest: int) -> bytes:
    try:
        return read_small(path, longest)
    except ValueError:
        raise CouldNot(f"{path} is not a file of at most {longest // 1024} KiB") from None


def _become_owner(app: App, *modules: str) -> None:
    try:
        become_owner(app.situation.state, *NEEDED, *modules)
    except ImportError:
        raise CouldNot(str(CannotVerify())) from None


def _text(standing: Standing, settings: Settings) -> str:
    """For a person; all that the vendor wrote is shown inert."""
    match = standing.match
    if match is None:
        return ""
    lines = [f"{settings.product} {settings.product_version}: {summary(standing)}"]
    for one in match.advisories:
        fixed = f", fixed in {one.fixed_in}" if one.fixed_in else ""
        lines += ["", f"{one.id} ({one.severity}, {one.date}){fixed}", *_indented(one.summary, one.url)]
    for release in match.newer:
        lines += ["", f"{release.version} ({release.date})", *_indented(release.notes, release.url)]
    if match.newer and match.next != match.newer[0]:
        first = f"upgrade to {match.next.version} first" if match.next else "no direct upgrade is possible"
        lines += ["", f"from {settings.product_version}, {first}"]
    return "\n".join(printable(line) for line in lines)


def _indented(*texts: str) -> list[str]:
    return [f"    {line}" for text in texts if text for line in text.splitlines()]
