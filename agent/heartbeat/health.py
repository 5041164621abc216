"""Is the product alive? Instance Active is sent only while it is. Every check has a time limit."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from agent.base.deadline import TookTooLong, within

if TYPE_CHECKING:
    from collections.abc import Callable

CHECK_SECONDS = 5.0
UNIT_SECONDS = 4.5
"""Shorter than CHECK_SECONDS, so that no systemctl is left behind."""

MAX_PIDFILE = 64


def is_alive(health: str, ca_file: str = "") -> bool:
    """Whether what `health` names is alive, known within CHECK_SECONDS; an empty one always is."""
    if not health:
        return True
    kind, _, what = health.partition(":")
    try:
        if kind in ("http", "https"):
            return within(CHECK_SECONDS, lambda: _http(health, ca_file))
        return within(CHECK_SECONDS, lambda: CHECKS[kind](what))
    except TookTooLong:
        return False


def _unit(name: str) -> bool:
    command = ["systemctl", "is-active", "--quiet", "--", name]
    null = subprocess.DEVNULL
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            command, check=False, timeout=UNIT_SECONDS, stdin=null, stdout=null, stderr=null
        )
        return done.returncode == 0
    return False


def _pidfile(path: str) -> bool:
    """The pid is on the first line; more lines, as in PostgreSQL's file, are ignored."""
    try:
        with open(path, "rb") as file:
            pid = int(file.readline(MAX_PIDFILE))
    except (OSError, ValueError):
        return False
    return pid > 0 and _runs(pid)


def _runs(pid: int) -> bool:
    """Whether the process runs. One that we may not signal, or even see, counts as alive."""
    import psutil

    try:
        os.kill(pid, 0)
    except PermissionError:
        pass
    except (OSError, OverflowError):
        return False
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def _process(name: str) -> bool:
    import psutil

    running = psutil.process_iter(["name", "status"])
    return any(
        found.info["name"] == name and found.info["status"] != psutil.STATUS_ZOMBIE for found in running
    )


def _tcp(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CHECK_SECONDS).close()
    except (OSError, UnicodeError):
        return False
    return True


def _http(url: str, ca_file: str) -> bool:
    """Ask the product directly: no proxy, no .netrc. Trust the same certificates as for the endpoint."""
    from agent.delivery.route import Route, Unpassable, open_session

    try:
        with open_session(url, Route(), ca_file) as session:
            answer = session.get(url, timeout=CHECK_SECONDS, stream=True, allow_redirects=False)
            return answer.status_code < 400  # noqa: PLR2004 - HTTP's own number
    except (OSError, ValueError, Unpassable):
        return False


CHECKS: dict[str, Callable[[str], bool]] = {
    "unit": _unit,
    "pidfile": _pidfile,
    "process": _process,
    "tcp": _tcp,
}
