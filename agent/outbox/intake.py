"""The outbox as verbs use it: opened with what wrapped installs left beside it, or erased."""

from __future__ import annotations

import importlib
import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from agent.base.statedir import act_as_owner, other_owner
from agent.events import facts
from agent.outbox import collect
from agent.outbox.outbox import WAITING, Outbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.app import App


def become_owner(app: App, *modules: str) -> None:
    """As root, become the state's owner, who may not be able to read Python's own files: have them first."""
    if other_owner(app.situation.state):
        for module in ("hashlib", *modules):  # hashlib is what the id is made with
            importlib.import_module(module)
    act_as_owner(app.situation.state)


@contextmanager
def opened(app: App) -> Iterator[Outbox]:
    """The outbox, made if there is none. Only for those who may record.

    Usage events that were said no to since are erased.
    """
    state = app.situation.state
    with closing(Outbox(state, now=app.now)) as outbox:
        if collect.waiting(state):
            collect.collect(state, outbox, app.ensure_instance(), facts.system(app.root))
        if app.situation.settings.usage_telemetry == "false" and outbox.count(WAITING):
            outbox.erase(usage=True)
        yield outbox


def erase(app: App) -> int | None:
    """Silence: erase what waits. How many events; None, and nothing made, where there is no outbox."""
    state = app.situation.state
    act_as_owner(state)
    collect.discard(state)
    if not os.path.exists(state.outbox):
        return None
    with closing(Outbox(state, now=app.now)) as outbox:
        return outbox.erase()
