"""State messages for systemd."""

from __future__ import annotations

import contextlib
import os
import socket


def send_state(state: str) -> None:
    """Send a state such as `READY=1` to `NOTIFY_SOCKET`, if it is set."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.connect("\0" + address[1:] if address[0] == "@" else address)
        out.sendall(state.encode())
