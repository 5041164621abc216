"""Is the product alive? Instance Active is sent only while it is. Every look is bounded."""

from __future__ import annotations

import socket
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from agent.bounded import TookTooLong, within

if TYPE_CHECKING:
    from collections.abc import Callable

BOUND = 5.0
MAX_PIDFILE = 64


def alive(health: str) -> bool:
    """Whether what `health` names is alive, told within BOUND seconds; nothing named is always alive."""
    if not health:
        return True
    kind, _, what = health.partition(":")
    check, subject = (_http, health) if kind in ("http", "https") else (CHECKS[kind], what)
    try:
        return within(BOUND, lambda: check(subject))
    except TookTooLong:
        return False


def _unit(name: str) -> bool:
    command = ["systemctl", "is-active", "--quiet", "--", name]
    with suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(command, check=False, timeout=BOUND, stdin=subprocess.DEVNULL).returncode == 0
    return False


def _pidfile(path: str) -> bool:
    import psutil

    try:
        with open(path, "rb") as file:
            pid = int(file.read(MAX_PIDFILE))
        return pid > 0 and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.AccessDenied:
        return True
    except (OSError, ValueError, OverflowError, psutil.Error):
        return False


def _process(name: str) -> bool:
    import psutil

    running = psutil.process_iter(["name", "status"])
    return any(
        found.info["name"] == name and found.info["status"] != psutil.STATUS_ZOMBIE for found in running
    )


def _tcp(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), BOUND).close()
    except (OSError, UnicodeError):
        return False
    return True


def _http(url: str) -> bool:
    import requests

    try:
        with requests.get(url, timeout=BOUND, stream=True, allow_redirects=False) as answer:
            return answer.status_code < 400  # noqa: PLR2004 - HTTP's own number
    except (requests.RequestException, ValueError):
        return False


CHECKS: dict[str, Callable[[str], bool]] = {
    "unit": _unit,
    "pidfile": _pidfile,
    "process": _process,
    "tcp": _tcp,
}
