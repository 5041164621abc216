"""Plain facts about the machine, read below a root that a test can choose."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.base.files import read_small

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN = "unknown"
MAX_BYTES = 64 * 1024
MAX_MOUNTINFO = 16 * 1024 * 1024
"""The kernel stops at 100,000 mounts, which are about as long."""

CONTAINER_MARKS = (".dockerenv", "run/.containerenv", "run/systemd/container")


@dataclass(frozen=True)
class System:
    """The operating system: os-release's ID and VERSION_ID, and no more."""

    name: str
    version: str


def system(root: str = "/") -> System:
    """What os-release says, or `unknown` for what it does not say in the form it promises."""
    for place in ("etc/os-release", "usr/lib/os-release"):
        text = _read(os.path.join(root, place))
        if text is not None:
            found = _assignments(text)
            return System(_word(found.get("ID", "")), _word(found.get("VERSION_ID", "")))
    return System(UNKNOWN, UNKNOWN)


def _assignments(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals:
            found[name] = value.strip("'\"")
    return found


def _word(value: str) -> str:
    """An identifier as os-release defines it; anything else could carry what is not ours to know."""
    return value if re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,31}", value) else UNKNOWN


def machine_id(environ: Mapping[str, str], root: str = "/") -> str | None:
    """The machine-id where it speaks for this machine, else None: no verdict.

    It does not in a container (a recreated one is not a new instance), nor while it is empty,
    uninitialized, or a mount of its own, which systemd makes for an id that lives until reboot.
    """
    text = (_read(os.path.join(root, "etc/machine-id")) or "").strip()
    if not re.fullmatch(r"[0-9a-f]{32}", text) or _in_container(environ, root) or _transient(root):
        return None
    return text


def _in_container(environ: Mapping[str, str], root: str) -> bool:
    marks = (os.path.lexists(os.path.join(root, mark)) for mark in CONTAINER_MARKS)
    return bool(environ.get("container") or environ.get("KUBERNETES_SERVICE_HOST")) or any(marks)


def _transient(root: str) -> bool:
    mounts = _read(os.path.join(root, "proc/self/mountinfo"), at_most=MAX_MOUNTINFO) or ""
    return any(line.split()[4:5] == ["/etc/machine-id"] for line in mounts.splitlines())


def _read(path: str, at_most: int = MAX_BYTES) -> str | None:
    try:
        return read_small(path, at_most).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None
