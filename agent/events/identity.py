"""The instance id: random, made once however many race for it, its owner's alone to read.

It survives upgrades. A copy of the disk on another machine gets an id of its own: beside the id
stands a hash of the machine-id, keyed with the id, which never leaves.
"""

from __future__ import annotations

import errno
import json
import os
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.base.files import read_small, replace_file
from agent.base.ids import uuid4
from agent.base.locks import hold_lock
from agent.events.shown import note_beginning

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.base.statedir import StateDir

LOCK_WAIT = 5.0
MAX_BYTES = 4096
PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT})
"""Errors that say nothing of the file itself: an id that cannot be read now is not damaged."""


@dataclass(frozen=True)
class Identity:
    """The id, and the keyed hash of the machine it was made on (None while that is not known)."""

    instance: str
    machine: str | None

    def is_clone(self, machine_id: str | None) -> bool:
        """Whether this id was copied here from another machine: only if both are known and differ.

        A BLAKE2 hash is not known in FIPS mode, which has none to compare it with.
        """
        if self.machine is None or machine_id is None:
            return False
        mine = _keyed_hashes(self.instance, machine_id)
        comparable = len(mine) > 1 or len(self.machine) == len(mine[0])
        return comparable and self.machine not in mine


def read(state: StateDir) -> Identity | None:
    """The id that is there, or None if there is none that can be read."""
    try:
        return _read(state)
    except OSError:
        return None


def _read(state: StateDir) -> Identity | None:
    """The same; OSError where it may be read in a moment."""
    try:
        data = json.loads(read_small(state.id, MAX_BYTES))
        instance, machine = str(uuid.UUID(data["instanceId"])), data["machine"]
    except OSError as why:
        if why.errno in PASSING:
            raise
        return None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return Identity(instance, machine if isinstance(machine, str) else None)


def read_valid(state: StateDir, machine_id: str | None) -> str | None:
    """The id of the next event, unless that will have a new one."""
    found = read(state)
    return None if found is None or found.is_clone(machine_id) else found.instance


def ensure(state: StateDir, machine_id: str | None, *, new: Callable[[], str] = uuid4) -> str:
    """The instance id, made if there is none, and made anew on a copied disk or if it is damaged."""
    found = read(state)
    if found is None or _must_write(found, machine_id):
        state.make()
        with hold_lock(state.lock, LOCK_WAIT):
            found = _settle(state, machine_id, new)
    return found.instance


def _must_write(found: Identity, machine_id: str | None) -> bool:
    return found.is_clone(machine_id) or (found.machine is None and machine_id is not None)


def _settle(state: StateDir, machine_id: str | None, new: Callable[[], str]) -> Identity:
    """Under the lock: look again, for another may have been here first, then write what is due."""
    found = _read(state)
    if found is not None and not _must_write(found, machine_id):
        return found
    keep = found is not None and not found.is_clone(machine_id)
    instance = found.instance if found is not None and keep else new()
    settled = Identity(instance, _keyed(instance, machine_id))
    note_beginning(state)
    if found is None and os.path.lexists(state.id):
        os.replace(state.id, state.id + ".damaged")
    text = json.dumps({"instanceId": settled.instance, "machine": settled.machine})
    replace_file(state.id, text.encode() + b"\n")
    return settled


def _keyed(instance: str, machine_id: str | None) -> str | None:
    """The hash that is written beside the id."""
    return None if machine_id is None else _keyed_hashes(instance, machine_id)[0]


def _keyed_hashes(instance: str, machine_id: str) -> list[str]:
    """Every hash that may stand beside the id on this machine, the one that is written first.

    It is of BLAKE2, but of SHA-256 where the system is in FIPS mode: there Python has no BLAKE2 to use.
    """
    import hashlib  # not needed by those who only look, and slow to import

    key, data = instance.encode(), machine_id.encode()
    sha256 = hashlib.sha256(key + data).hexdigest()
    try:
        return [hashlib.blake2b(data, key=key, digest_size=16).hexdigest(), sha256]
    except (ValueError, TypeError, AttributeError):
        return [sha256]
