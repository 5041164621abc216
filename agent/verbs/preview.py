"""The verb `preview`: the exact JSON of the events, before any is recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent.app import DONE, App, WrongUse
from agent.base.owner import become_owner
from agent.events import catalogue, identity

if TYPE_CHECKING:
    import argparse

SAMPLE_INSTANCE = "00000000-0000-4000-8000-000000000000"
SAMPLE_RUN = "3f2b8c1d-0000-4000-8000-000000000000"


def show_preview(app: App, args: argparse.Namespace) -> int:
    """Print the exact JSON of one event, or of one of each."""
    state = app.situation.state
    become_owner(state)
    try:
        kinds = [catalogue.kind(args.event)] if args.event else catalogue.CATALOGUE
    except catalogue.NotInCatalogue as why:
        raise WrongUse(str(why)) from None
    found = identity.read(state)
    if found is None:
        app.say("this instance has no id yet, so a sample is shown")
    origin = app.origin(found.instance if found else SAMPLE_INSTANCE)
    if any(kind.about_installation for kind in kinds):
        app.say("values that are known only later (times, durations, failures, addresses) are samples")
    samples = [_sample(kind, origin, app) for kind in kinds]
    shown = samples[0] if args.event else samples
    print(json.dumps(shown, indent=2), file=app.out)
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
