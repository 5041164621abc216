"""The verb `track`: one usage event of the product's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent.app import DONE, App, WrongUse
from agent.base.owner import become_owner
from agent.events import catalogue
from agent.outbox import intake

if TYPE_CHECKING:
    import argparse

NO_INSTANCE = "00000000-0000-0000-0000-000000000000"
"""Stands for the id until all else about an event is known to be right."""


def track_event(app: App, args: argparse.Namespace) -> int:
    """Record one usage event, if the user has agreed to them; the next flush or beat sends it."""
    properties = dict(_property(text) for text in args.properties)
    situation = app.situation
    allowed = situation.decision.sending and situation.settings.usage
    try:
        event = catalogue.build_usage(args.event, properties, app.origin(NO_INSTANCE), timestamp=app.now())
    except catalogue.NotInCatalogue as why:
        raise WrongUse(str(why)) from None
    if allowed:
        become_owner(situation.state, *intake.RECORDING)
        with intake.open_outbox(app.situation, app.now) as outbox:
            event["anonymousId"] = app.ensure_instance()
            outbox.record(event, situation.settings.endpoint)
    return DONE


def _property(text: str) -> tuple[str, catalogue.Scalar]:
    """`key=text` or `key:=json`, where json is a scalar."""
    key, equals, value = text.partition("=")
    scalar: catalogue.Scalar | list[object] | dict[str, object] = value
    try:
        if key.endswith(":"):
            scalar = json.loads(value, parse_constant=_no_constant)
        json.dumps([key, scalar], ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        scalar = []
    if isinstance(scalar, (dict, list)) or not equals or not key.strip(":"):
        raise WrongUse(
            f"-p {text!r} is not valid; it takes key=text, "
            "or key:= and a number, true, false, null or text in quotes"
        )
    return key.removesuffix(":"), scalar


def _no_constant(name: str) -> object:
    raise ValueError(name)
