"""The outbox as verbs use it: opened with what wrapped installs left beside it, or erased."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from agent.base.ids import uuid4
from agent.base.owner import become_owner
from agent.events import facts, identity
from agent.outbox.bundles import erase_bundles
from agent.outbox.collect import collect_runs, discard_runs, has_runs, planned_instance
from agent.outbox.outbox import WAITING, Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.config.situation import Situation

RECORDING = ("hashlib",)
"""What is imported late where something is recorded; see become_owner."""


@contextmanager
def open_outbox(situation: Situation, now: Callable[[], float]) -> Iterator[Outbox]:
    """The outbox, made if there is none. Only where recording is allowed.

    Usage events are erased if they were refused since they were recorded. Without a yes to them the product's
    version is forgotten, so that no change from before a yes is told.
    """
    state = situation.state
    with closing(Outbox(state, now=now)) as outbox:
        if has_runs(state):
            machine_id = facts.machine_id(situation.environ, situation.root)
            instance = identity.ensure(state, machine_id, new=lambda: planned_instance(state) or uuid4())
            collect_runs(state, outbox, instance, facts.system(situation.root))
        if situation.settings.usage_telemetry == "false" and outbox.count(WAITING):
            outbox.erase(usage=True)
        if not situation.settings.usage:
            outbox.forget_version()
        yield outbox


def erase_waiting(situation: Situation, now: Callable[[], float]) -> int | None:
    """Erase what waits, as telemetry is off. How many events; None, and nothing made, without an outbox."""
    state = situation.state
    become_owner(state)
    discard_runs(state)
    erase_bundles(state)
    try:
        if not os.path.exists(state.outbox):
            return None
        with closing(Outbox(state, now=now)) as outbox:
            return outbox.erase()
    finally:  # on a full disk too
        for path in filter(os.path.lexists, state.asides()):  # what waited in them can still be read
            with suppress(FileNotFoundError):
                os.unlink(path)
