"""Messages for a person. What others wrote (a path, a name) must not control the terminal.

Part of the boot path of `wrap`: imports stay few and cheap.
"""

from __future__ import annotations

import os
import sys

from agent.base.files import read_small

LOG_FORMAT = "ROLLCALL_LOG_FORMAT"
"""`json` makes each message one JSON object, but not on a terminal. Our container's image says so."""

MAX_NAME = 200
MAX_PLACE = 4096

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


def product_name() -> str:
    """NAME: what everything of this installation is called. install.sh writes it into the environment."""
    try:
        name = read_small(os.path.join(sys.prefix, "rollcall.name"), MAX_NAME).decode("ascii").strip()
    except (OSError, ValueError):
        return "rollcall"
    slug = name.removeprefix("rollcall-")
    sane = name.startswith("rollcall-") and slug.replace("-", "").isalnum() and slug.isascii()
    return name if sane else "rollcall"


def typed_command(search: str) -> str:
    """What a person types where NAME alone is not found, with `search` as PATH; or empty.

    install.sh and the demo write the command's place into the environment.
    """
    try:
        path = read_small(os.path.join(sys.prefix, "rollcall.command"), MAX_PLACE).decode().strip()
    except (OSError, ValueError):
        return ""
    folders = [folder.rstrip("/") for folder in search.split(":")]
    return "" if os.path.dirname(path) in folders else printable(path)


def printable(text: str) -> str:
    """The text with everything that is not printable escaped, so that it is one harmless line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def counted(count: int, one: str, several: str) -> str:
    """The number, and what it counts: `1 event is`, `2 events are`."""
    return f"{count} {one if count == 1 else several}"


def print_message(text: str, to: TextIO) -> None:
    """One line to the stream, under our name. A stream that cannot take it stops nothing."""
    try:
        print(_as_json(text) if _wants_json(to) else f"{product_name()}: {printable(text)}", file=to)
    except OSError:
        pass


def _wants_json(to: TextIO) -> bool:
    return os.environ.get(LOG_FORMAT) == "json" and not to.isatty()


def _as_json(text: str) -> str:
    import json
    import time

    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return json.dumps({"at": at, "name": product_name(), "message": text})


def write_message(text: str) -> None:
    """One line to stderr, if it is open, without Python's own stream."""
    write_stderr(printable(text).encode() + b"\n")


def write_stderr(data: bytes) -> None:
    """The bytes as they are, to stderr, if it is open."""
    try:
        os.write(2, data)
    except OSError:
        pass
