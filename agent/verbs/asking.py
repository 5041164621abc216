"""Asking for the release feed: by `updates --check`, and once a day by a child of the daemon."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from agent.base.messages import printable
from agent.base.owner import ActingAsOwner
from agent.updates.kept import KeptFeed, new_kept, note_problem, read_kept, take_feed, write_kept
from agent.updates.minisign import CannotVerify, can_verify, parse_keys
from agent.updates.phase import Phase, current_phase, phase_asked, read_phase, seconds_until, write_phase
from agent.updates.standing import UNBELIEVED, Standing, answer, judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.app import App
    from agent.config.access import Access

NEEDED = ("cryptography.hazmat.primitives.asymmetric.ed25519",)
FETCHING = ("agent.delivery.transport", "agent.updates.fetch")
"""Imported before a process acts as the state's owner, who may not be able to read them."""


class Question(NamedTuple):
    """How the feed is asked for, and whether that is still allowed."""

    access: Access
    still_allowed: Callable[[], bool]


class FeedNews(NamedTuple):
    """What the daemon is told of the feed."""

    ask_in: float | None = None
    problem: str | None = None
    critical: str | None = None


def why_not_asked(app: App) -> str | None:
    """Why nothing may be asked; None if it may."""
    settings, decision = app.situation.settings, app.situation.standing_decision
    return settings.no_feed if decision.sending else f"telemetry is off, {decision}"


def read_standing(app: App) -> Standing:
    """What is kept on this machine. Nothing is asked, and nothing written."""
    with ActingAsOwner(app.situation.state):
        kept = read_kept(app.situation.state)
    return judge(kept or new_kept(), app.situation.settings, app.now())


def ask_for_feed(app: App, access: Access, still_allowed: Callable[[], bool]) -> Standing:
    """Ask for the feed, as the state's owner. The last good one stays where nothing good comes.

    If it is not `still_allowed` once the answer is there, nothing is written.
    """
    from agent.updates.fetch import FetchError, fetch_feed

    settings = app.situation.settings
    kept = read_kept(app.situation.state) or new_kept()
    standing = judge(kept, settings, app.now())
    believed = standing.found is not None
    known = kept.feed.encode() if believed else b""  # signed anew with another key, it is fetched again
    try:
        found = fetch_feed(settings.updates_url, access, known, still_allowed)
        kept = accept_feed(app, kept, *(found or (known, kept.signature)))
    except (FetchError, *UNBELIEVED) as why:
        kept = note_problem(kept, str(why), app.now())
    if not still_allowed():
        return standing
    return keep_feed(app, kept)


def accept_feed(app: App, kept: KeptFeed, data: bytes, signature: str) -> KeptFeed:
    """`kept` with this feed in its place; an error of UNBELIEVED if it is not to be believed."""
    settings = app.situation.settings
    keys = parse_keys(settings.updates_key)
    return take_feed(kept, data, signature, keys=keys, product=settings.product, now=app.now())


def keep_feed(app: App, kept: KeptFeed) -> Standing:
    """Write it down, with what it means here."""
    settings = app.situation.settings
    standing = judge(kept, settings, app.now())
    write_kept(app.situation.state, kept, answer(standing, settings))
    return standing


def feed_standing(app: App) -> Standing | None:
    """What a child of the daemon begins with; None where the feed is switched off or has no key."""
    settings = app.situation.settings
    if not settings.updates_key or settings.updates == "false":
        return None
    can_verify()  # imports what the state's owner may not be able to read
    return read_standing(app)


def feed_news(app: App, standing: Standing | None, ask: Question | None) -> FeedNews:
    """What the daemon has to know, as the state's owner. With `ask`, the feed is asked for first."""
    if standing is None:
        return FeedNews()
    ask_in, problem = None, None
    try:
        if why_not_asked(app) is None:
            phase = _note_phase(app, asked=ask is not None)
            if ask is not None:
                standing = ask_for_feed(app, *ask) if can_verify() else _not_asked(app, standing)
            ask_in = seconds_until(phase, app.now())
    except OSError as why:  # a full disk delays the feed, and no heartbeat
        problem = f"it cannot be stored: {why}"
    return FeedNews(ask_in, _inert(problem or standing.problem), _inert(_critical(standing)))


def _note_phase(app: App, *, asked: bool) -> Phase:
    """When to ask, written down before it is done: no failure asks again before the next time."""
    path, now = app.situation.state.feed_due, app.now()
    kept = read_phase(path)
    phase = kept if kept and asked else current_phase(kept, now, random.uniform)  # who asks missed nothing
    if asked:
        phase = phase_asked(phase, now)
    if phase != kept:
        write_phase(path, phase)
    return phase


def _not_asked(app: App, standing: Standing) -> Standing:
    """Nothing that comes could be believed, so nothing is asked for."""
    return keep_feed(app, note_problem(standing.kept, str(CannotVerify()), app.now()))


def _critical(standing: Standing) -> str | None:
    """The critical advisories that concern this version, in words."""
    found = [one for one in standing.match.advisories if one.severity == "critical"] if standing.match else []
    texts = [f"{one.id} (fixed in {one.fixed_in})" if one.fixed_in else one.id for one in found]
    return f"critical advisory {', '.join(texts)}" if texts else None


def _inert(text: str | None) -> str | None:
    return None if text is None else printable(text)
