"""The verbs `disable`, `enable` and `consent`: what the user chooses is kept in docker.env."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from agent.app import COULD_NOT, DONE, App, CouldNot
from agent.base.files import replace_file
from agent.base.owner import become_owner
from agent.config import envedit
from agent.config.envfile import read_env_file
from agent.config.settings import NAMES, SettingError
from agent.config.situation import files_last_read, read_situation
from agent.outbox import intake

if TYPE_CHECKING:
    import argparse

FLAG = "ROLLCALL_DISABLE_TELEMETRY"


def switch_off(app: App, _args: argparse.Namespace) -> int:
    """Write the flag to docker.env and erase what waits."""
    path = _file_to_edit(app)
    envedit.set_value(path, FLAG, "true")
    decision = app.reread_situation().decision
    if decision.sending:
        raise CouldNot(f"the flag in {path} has no effect; set {FLAG}=true in the environment instead")
    app.say(f"telemetry is off ({path}); to turn it on again: {app.name} enable")
    if read_situation(app.environ, cwd="/", uid=app.uid, root=app.root).decision.sending:
        app.say(
            f"but {path} counts only for commands that run in its folder;"
            f" to turn telemetry off everywhere: cd / && {app.name} disable"
        )
    erased = intake.erase_waiting(app.situation, app.now)
    if erased is not None:
        app.say(f"waiting events erased: {erased}")
    return DONE


def switch_on(app: App, _args: argparse.Namespace) -> int:
    """Remove every flag from docker.env; exit 1 if another one still silences."""
    path = app.situation.env_file
    if path is not None and os.path.exists(path):
        _refuse_foreign_file(path, app)
        envedit.remove_flags(path)
    decision = app.reread_situation().decision
    with contextlib.suppress(OSError, SettingError):
        _bring_back(app)
        become_owner(app.situation.state)
        os.unlink(app.situation.state.seen)
    if not decision.sending:
        app.say(f"telemetry is still off: {decision}")
        return COULD_NOT
    try:
        app.situation.settings  # noqa: B018 - asked for its fault
    except SettingError as why:
        app.say(f"telemetry is on, but verbs end with an error until this is corrected: {why}")
    else:
        app.say(f"telemetry is on; to see what is sent: {app.name} preview")
    return DONE


def _bring_back(app: App) -> None:
    """Make the docker.env anew that was read and is gone: while it is, the service stays silent.

    It has an empty line. No other file is made: the rest belong to a product, or to a folder.
    """
    path = app.situation.env_file_to_make
    if path in files_last_read(app.situation.state) and not os.path.lexists(path):
        with contextlib.suppress(OSError):
            replace_file(path, b"\n")


def set_consent(app: App, args: argparse.Namespace) -> int:
    """Say yes or no to usage events."""
    path = _file_to_edit(app)
    version = app.situation.settings.usage_version
    if args.choice == "on" and version != app.situation.settings.usage_agreed:
        envedit.set_value(path, "ROLLCALL_USAGE_AGREED", str(version))
    envedit.set_value(path, "ROLLCALL_USAGE_TELEMETRY", "true" if args.choice == "on" else "false")
    app.say(f"usage events are {args.choice} ({path})")
    situation = app.reread_situation()
    names = ("ROLLCALL_USAGE_TELEMETRY", "ROLLCALL_USAGE_AGREED")
    overruled = " and ".join(f"{name}={app.environ[name]}" for name in names if app.environ.get(name))
    if overruled and situation.settings.usage != (args.choice == "on"):
        raise CouldNot(f"{overruled} in the environment overrides it; change it there")
    if not situation.decision.sending:
        app.say(f"but telemetry is off, so nothing is sent: {situation.decision}")
    elif args.choice == "off" and os.path.exists(situation.state.outbox):
        become_owner(situation.state, *intake.RECORDING)
        with intake.open_outbox(app.situation, app.now):
            pass  # to open it is to erase what waited of them
    return DONE


def _file_to_edit(app: App) -> str:
    """The docker.env that status names, or the one to be made."""
    path = app.situation.env_file or app.situation.env_file_to_make
    _refuse_foreign_file(path, app)
    return path


def _refuse_foreign_file(path: str, app: App) -> None:
    """Never change, as root, a file that another user put there."""
    file = read_env_file(path, NAMES, uid=app.uid)
    if file is not None and not file.trusted:
        raise CouldNot(f"{path} cannot be read, or another user may write to it; edit it by hand")
