"""The verb `preview`: the exact JSON of the events, before any is recorded."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from agent.app import DONE, App, WrongUse
from agent.base.owner import become_owner
from agent.events import catalogue
from agent.events.additions import Addition, additions
from agent.events.shown import NEWEST, note_shown, read_shown
from agent.outbox.bundles import build_bundle_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

SAMPLE_INSTANCE = "00000000-0000-4000-8000-000000000000"
SAMPLE_RUN = "3f2b8c1d-0000-4000-8000-000000000000"
SAMPLE_SIZE, SAMPLE_DIGEST = 48_213, "5f" * 32


def show_preview(app: App, args: argparse.Namespace) -> int:
    """Print the exact JSON of one event, or of one of each; with --new only what is new in them."""
    state, decision = app.situation.state, app.situation.decision
    become_owner(state)
    if args.event == catalogue.BUNDLE and not args.new:
        return _show_bundle_line(app)
    try:
        kinds: Sequence[catalogue.Kind] = [catalogue.kind(args.event)] if args.event else catalogue.CATALOGUE
    except catalogue.NotInCatalogue as why:
        raise WrongUse(str(why)) from None
    new = additions(read_shown(state))
    events = _only_new(app, kinds, new) if args.new else _samples(app, kinds)
    shown = (events[0] if events else {}) if args.event else events
    print(json.dumps(shown, indent=2), file=app.out, flush=True)
    if not args.event and app.situation.settings.support_key:
        how = f"to see what is told of one: {app.name} preview '{catalogue.BUNDLE}'"
        app.say(f"a support bundle is no event, and is made only by {app.name} support --bundle; {how}")
    if new and not args.event:
        _tell_new(app, new, sending=decision.sending)
    return DONE


def _samples(app: App, kinds: Sequence[catalogue.Kind]) -> list[dict[str, object]]:
    instance = app.read_instance()
    if instance is None:
        app.say("this instance has no id yet, so a sample is shown")
    if any(kind.name != catalogue.ACTIVE for kind in kinds):
        app.say("values that are known only later (times, failures, addresses, upgrades) are samples")
    origin = replace(app.origin(instance or SAMPLE_INSTANCE), shown=NEWEST)
    return [_sample(kind, origin, app) for kind in kinds]


def _show_bundle_line(app: App) -> int:
    """What `log` shows of a support bundle, and the endpoint is told beside the sealed bytes."""
    instance = app.read_instance()
    app.say("the size, the SHA-256 and the ids are samples; the bundle itself is shown before it is sealed")
    origin = app.origin(instance or SAMPLE_INSTANCE)
    line = build_bundle_line(
        origin, size=SAMPLE_SIZE, digest=SAMPLE_DIGEST, timestamp=app.now(), installation=SAMPLE_RUN
    )
    print(json.dumps(line, indent=2), file=app.out)
    return DONE


def _sample(kind: catalogue.Kind, origin: catalogue.Origin, app: App) -> dict[str, object]:
    real = {"os": origin.system.name, "instanceId": origin.instance, "reference": SAMPLE_RUN[:8]}
    return catalogue.build(
        kind.name,
        {prop.name: real.get(prop.name, prop.example) for prop in kind.properties},
        origin,
        timestamp=app.now(),
        installation=SAMPLE_RUN if kind.about_installation else None,
    )


def _only_new(app: App, kinds: Sequence[catalogue.Kind], new: Sequence[Addition]) -> list[dict[str, object]]:
    """Of each event that has something new its name, and what is new, in its place."""
    origin = replace(app.origin(SAMPLE_INSTANCE), shown=NEWEST)
    found = []
    for kind in kinds:
        mine = [one for one in new if one.concerns(kind)]
        if mine:
            event = _sample(kind, origin, app)
            picked: dict[str, object] = {"event": kind.name}
            for one in mine:
                _copy(event, picked, one)
            found.append(picked)
    return found


def _copy(event: dict[str, object], picked: dict[str, object], new: Addition) -> None:
    """Copy what is new; the catalogue's example where this instance would leave it out."""
    if not new.path:
        picked.update(event)
        return
    source: object = event
    for name in new.path[:-1]:
        source = source.get(name) if isinstance(source, dict) else None
        deeper = picked.setdefault(name, {})
        assert isinstance(deeper, dict)  # noqa: S101 - the catalogue has no path through a value
        picked = deeper
    last = new.path[-1]
    picked[last] = source.get(last, new.example) if isinstance(source, dict) else new.example


def _tell_new(app: App, new: Sequence[Addition], *, sending: bool) -> None:
    """Say what is new, and note that it was shown. While telemetry is off nothing is noted."""
    state = app.situation.state
    for one in new:
        app.say(f"new: {one}")
    if not sending:
        app.say("telemetry is off, so none of this is sent")
        return
    if _goes_nowhere(app.err):  # which names all that is new
        app.say("what is new is still not sent, because nobody sees this output")
        return
    try:
        note_shown(state)
    except OSError as why:
        app.say(f"what is new is still not sent, because {state.shown} cannot be written: {why.strerror}")
    else:
        app.say(f"what is new was not sent until now; it is sent from now on. To refuse: {app.name} disable")


def _goes_nowhere(stream: TextIO) -> bool:
    """Whether it is /dev/null, which nobody reads."""
    try:
        found = os.fstat(stream.fileno())
    except OSError:  # a stream that is no file
        return False
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == os.stat(os.devnull).st_rdev
