"""Verbs by which the operator chooses: disable, enable, consent, forget."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from agent.app import COULD_NOT, DONE, App, CouldNot
from agent.base.locks import held
from agent.base.owner import become_owner
from agent.config import envedit
from agent.config.consent import RULES
from agent.config.envfile import read
from agent.config.settings import NAMES, SettingError
from agent.config.situation import look
from agent.outbox import intake
from agent.outbox.database import between_transactions

if TYPE_CHECKING:
    import argparse

FLAG = "ROLLCALL_DISABLE_TELEMETRY"
SENDER_WAIT = 30.0


def disable(app: App, _args: argparse.Namespace) -> int:
    """Write the flag to docker.env and erase what waits."""
    path = _file_to_edit(app)
    envedit.set_value(path, FLAG, "true")
    decision = app.look_again().decision
    if decision.sending:
        raise CouldNot(f"{path} was written and yet does not silence; set {FLAG}=true in the environment")
    app.say(f"telemetry is off ({path}); to turn it on again: {app.name} enable")
    if look(app.environ, cwd="/", uid=app.uid, root=app.root).decision.sending:
        app.say(
            f"but {path} is read in its folder alone, and what runs elsewhere still reports;"
            f" silence that too: cd / && {app.name} disable"
        )
    erased = intake.erase(app)
    if erased is not None:
        app.say(f"{erased} waiting events were erased")
    return DONE


def enable(app: App, _args: argparse.Namespace) -> int:
    """Remove every flag from docker.env, and say so if something else still silences."""
    path = app.situation.env_file
    if path is not None and os.path.exists(path):
        _refuse_a_strangers(path, app)
        envedit.remove_flags(path)
    decision = app.look_again().decision
    with contextlib.suppress(OSError, SettingError):
        become_owner(app.situation.state)
        os.unlink(app.situation.state.seen)
    if not decision.sending:
        app.say(f"still silent: {RULES[decision.rule]} ({decision.source})")
        return COULD_NOT
    app.say(f"telemetry is on; what would be sent: {app.name} preview")
    return DONE


def consent(app: App, args: argparse.Namespace) -> int:
    """Say yes or no to usage events."""
    path = _file_to_edit(app)
    envedit.set_value(path, "ROLLCALL_USAGE_TELEMETRY", "true" if args.choice == "on" else "false")
    app.say(f"usage events are {args.choice} ({path})")
    situation = app.look_again()
    overruled = app.environ.get("ROLLCALL_USAGE_TELEMETRY")
    if overruled and situation.settings.usage != (args.choice == "on"):
        raise CouldNot(
            f"ROLLCALL_USAGE_TELEMETRY={overruled} in the environment overrules it; change it there"
        )
    if not situation.decision.sending:
        app.say(f"silent all the same: {RULES[situation.decision.rule]} ({situation.decision.source})")
    elif args.choice == "off" and os.path.exists(situation.state.outbox):
        become_owner(situation.state, *intake.RECORDING)
        with intake.opened(app):
            pass  # to open it is to erase what waited of them
    return DONE


def _file_to_edit(app: App) -> str:
    """The docker.env that status names, or the one to be made."""
    path = app.situation.env_file or app.situation.env_file_to_make
    _refuse_a_strangers(path, app)
    return path


def _refuse_a_strangers(path: str, app: App) -> None:
    """Never change, as root, a file that somebody else planted."""
    file = read(path, NAMES, uid=app.uid)
    if file is not None and not file.trusted:
        raise CouldNot(f"{path} cannot be read, or somebody else may write to it; change it by hand")


def forget(app: App, _args: argparse.Namespace) -> int:
    """Delete id, queue and log."""
    state = app.situation.state
    become_owner(state)
    if not state.exists():
        app.say(f"nothing to forget in {state.path}")
        return DONE
    with held(state.sender, SENDER_WAIT) as alone:
        if not alone:
            raise CouldNot("a flush is under way; try again in a minute")
        with between_transactions(state):
            for path in state.memory():
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
    app.say(f"id, queue and log in {state.path} are deleted; the next id has no tie to the last")
    return DONE
