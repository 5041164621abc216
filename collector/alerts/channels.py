"""Channels: the URLs of apprise in a file, to which messages are sent.

A URL is a secret. Nothing here logs or returns one; a channel is known by its number and its kind.
"""

from __future__ import annotations

import logging
import os
import stat
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Any

MOST_CHANNELS = 20
MOST_BYTES = 64 * 1024
# Others may not read the file, and only its owner may write it.
FORBIDDEN = stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP
TEST_TITLE, TEST_BODY = "Rollcall: a test", "Alerts arrive here."
_TYPES = {"begun": "failure", "ended": "success"}


class ChannelError(Exception):
    """The file of channels cannot be used; the message says why, without its text."""


@dataclass(frozen=True)
class Channel:
    """Where messages go."""

    number: int  # its line in the file
    kind: str  # such as `slack` or `mailto`
    url: str = field(repr=False)

    @property
    def mark(self) -> str:
        """A short word by which the store remembers it."""
        return sha256(self.url.encode()).hexdigest()[:8]


def read_channels(path: str) -> list[Channel]:
    """The channels in a file: a URL a line; `#` begins a comment. ChannelError if it cannot be used."""
    try:
        with open(path, "rb") as file:
            _check_owner(path, os.fstat(file.fileno()))
            text = file.read(MOST_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it must be UTF-8 text"
        raise ChannelError(f"{path} cannot be read: {why}") from None
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    found = [_channel(path, number, line) for number, line in lines if line and not line.startswith("#")]
    if not 0 < len(found) <= MOST_CHANNELS:
        raise ChannelError(f"{path} holds {len(found)} URLs; from 1 to {MOST_CHANNELS} are possible")
    return found


def send_to(channel: Channel, kind: str, title: str, body: str) -> bool:
    """Send a message to a channel; whether it was taken."""
    apprise = _apprise()
    sender, style = apprise.Apprise(), apprise.NotifyFormat.TEXT
    sender.add(channel.url)
    try:
        return bool(sender.notify(body, title, _TYPES.get(kind, "info"), body_format=style))
    except Exception:  # noqa: BLE001 - a hundred services, and what they raise may hold the URL
        return False


def send_test(channels: list[Channel], base: str) -> list[tuple[Channel, bool]]:
    """Send a test message to every channel; which took it. `base` is the address of the page, if known."""
    body = f"{TEST_BODY}\n{base}/" if base else TEST_BODY
    return [(channel, send_to(channel, "test", TEST_TITLE, body)) for channel in channels]


def _check_owner(path: str, status: os.stat_result) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise ChannelError(f"{path} must belong to root or to the user of the collector")
    if status.st_mode & FORBIDDEN:
        raise ChannelError(f"{path} must be readable by its owner alone; use: chmod 600 {path}")


def _channel(path: str, number: int, line: str) -> Channel:
    if not _apprise().Apprise().add(line):
        raise ChannelError(
            f"line {number} of {path} must be a URL that apprise knows, such as slack://… or mailto://…"
        )
    return Channel(number, line.partition(":")[0].lower(), line)


@cache
def _apprise() -> Any:
    """The library, imported when it is needed. Its log holds URLs, so it is switched off."""
    import apprise

    logging.getLogger("apprise").disabled = True
    return apprise
