"""The outbox as verbs use it: opened with what wrapped installs left beside it, or erased."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from agent.base.owner import become_owner
from agent.events import facts
from agent.outbox.collect import collect_runs, discard_runs, has_runs
from agent.outbox.outbox import WAITING, Outbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.app import App

RECORDING = ("hashlib",)
"""What is imported late where something is recorded; see become_owner."""


@contextmanager
def opened(app: App) -> Iterator[Outbox]:
    """The outbox, made if there is none. Only for those who may record.

    Usage events that were said no to since are erased.
    """
    state = app.situation.state
    with closing(Outbox(state, now=app.now)) as outbox:
        if has_runs(state):
            collect_runs(state, outbox, app.ensure_instance(), facts.system(app.root))
        if app.situation.settings.usage_telemetry == "false" and outbox.count(WAITING):
            outbox.erase(usage=True)
        yield outbox


def erase(app: App) -> int | None:
    """Silence: erase what waits. How many events; None, and nothing made, where there is no outbox."""
    state = app.situation.state
    become_owner(state)
    discard_runs(state)
    if not os.path.exists(state.outbox):
        return None
    with closing(Outbox(state, now=app.now)) as outbox:
        return outbox.erase()
