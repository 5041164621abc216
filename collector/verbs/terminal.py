"""What verbs share: messages go to stderr, and the time is the machine's."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


def message(text: str) -> None:
    """Say something on stderr, over a line of progress if there is one."""
    lead = "\r" if sys.stderr.isatty() else ""
    sys.stderr.write(f"{lead}rollcall-collector: {text}\n")
    sys.stderr.flush()


def now_ms() -> int:
    return int(time.time() * 1000)


def progress(what: str) -> Callable[[int], None]:
    """Shows a number of events on a terminal."""
    if not sys.stderr.isatty():
        return lambda _: None
    return lambda count: print(f"\r{count:,} events {what}", end="", file=sys.stderr, flush=True)
