"""The verb `forget`: delete all that this machine remembers."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from agent.app import DONE, App, CouldNot
from agent.base.locks import hold_lock
from agent.base.owner import become_owner
from agent.outbox.database import between_transactions

if TYPE_CHECKING:
    import argparse

    from agent.base.statedir import StateDir

SENDER_WAIT = 30.0


def _memory(state: StateDir) -> list[str]:
    """What is deleted. A daemon that runs keeps its plan, so the note of it stays; it has no id."""
    if os.path.exists(state.daemon):
        with hold_lock(state.daemon, 0) as stopped:
            if not stopped:
                return [path for path in state.memory() if path != state.due]
    return state.memory()


def forget_instance(app: App, _args: argparse.Namespace) -> int:
    """Delete the id, the queue and the log."""
    state = app.situation.state
    become_owner(state)
    if not state.exists():
        app.say(f"there is nothing to delete in {state.path}")
        return DONE
    with hold_lock(state.sender, SENDER_WAIT) as alone:
        if not alone:
            raise CouldNot("events are being sent at the moment; try again in a minute")
        with between_transactions(state):
            for path in _memory(state):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
    app.say(f"id, queue and log in {state.path} are deleted; the next id cannot be linked to the old one")
    return DONE
