"""Talking to systemd: readiness and status, the watchdog, and journal lines with fields.

Each is one datagram on an AF_UNIX socket. Without systemd nothing is sent, and log lines go to
stderr.
"""

from __future__ import annotations

import _socket  # the C half; the Python half costs a resident process 300 KiB
import os
import sys
import time
from typing import TYPE_CHECKING

from agent.base.messages import print_message, product_name

if TYPE_CHECKING:
    from collections.abc import Mapping

ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6

JOURNAL = "/run/systemd/journal/socket"

PATIENCE = 0.2
"""Seconds to wait for a busy receiver: READY must not be lost, but the daemon must not hang either."""


class Notifier:
    """sd_notify, for as long as the process lives."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog = _watchdog(environ)
        """Seconds within which systemd expects a sign of life; None if it does not."""

    def ready(self, status: str) -> None:
        self._send("READY=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        self._send(f"STATUS={status}")

    def reloading(self) -> None:
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self, status: str) -> None:
        self._send("STOPPING=1", f"STATUS={status}")

    def alive(self) -> None:
        if self.watchdog is not None:
            self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._address:
            plain = [line.replace("\n", " ") for line in lines]  # a path in a status may hold anything
            _datagram(self._address, "\n".join(plain).encode(errors="replace"))


class Journal:
    """Log lines: with priority and fields if stderr is the journal, otherwise plain."""

    def __init__(self, environ: Mapping[str, str], path: str = JOURNAL) -> None:
        self._path = path if _is_stream(environ.get("JOURNAL_STREAM", ""), 2) else None

    def log(self, priority: int, message: str, **fields: object) -> None:
        """One line. Field names come from this program, values may hold anything."""
        if self._path is None or not _datagram(self._path, entry(priority, message, fields)):
            print_message(message, sys.stderr)


def entry(priority: int, message: str, fields: Mapping[str, object]) -> bytes:
    """One message of the journal's native protocol.

    Each value goes with its length, so that a line end in it cannot begin another field.
    """
    lines: dict[str, object] = {"MESSAGE": message, "PRIORITY": priority, "SYSLOG_IDENTIFIER": product_name()}
    lines |= {f"ROLLCALL_{name.upper()}": value for name, value in fields.items()}
    parts = []
    for name, value in lines.items():
        data = str(value).encode(errors="replace")
        parts.append(name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n")
    return b"".join(parts)


def _datagram(address: str, data: bytes) -> bool:
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        sock.settimeout(PATIENCE)
        sock.connect(address)  # otherwise the wait for room would be a busy loop
        sock.send(data)
    except OSError:
        return False
    finally:
        sock.close()
    return True


def _is_stream(announced: str, fd: int) -> bool:
    found = os.fstat(fd)
    return announced == f"{found.st_dev}:{found.st_ino}"


def _watchdog(environ: Mapping[str, str]) -> float | None:
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        return int(environ["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        return None
