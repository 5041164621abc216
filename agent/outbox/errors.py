"""What can be wrong with the outbox, in words for a person."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

UNSOUND = {"damaged": "is damaged", "newer": "was made by a newer version of Rollcall"}
"""Why a database cannot be used: the ending that it gets, and what is said of it."""


class OutboxError(Exception):
    """Nothing could be read or written; the text says why and what to do."""


class Unsound(Exception):  # noqa: N818 - reads as what it says
    """The database cannot be used; the text is a key of UNSOUND."""


class Disturbed(Exception):  # noqa: N818 - reads as what it says
    """Another process renamed the database, or still held a renamed one and took our journal: try again."""


@contextmanager
def file_faults() -> Iterator[None]:
    """For a torn file SQLite raises the bare DatabaseError, never a subclass of it."""
    try:
        yield
    except sqlite3.DatabaseError as why:
        if type(why) is sqlite3.DatabaseError:
            raise Unsound("damaged") from None
        if "disk I/O error" in str(why) or "readonly database" in str(why):
            raise Disturbed(_words(why)) from why
        raise


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what SQLite or the system raises into an OutboxError in words for a person."""
    try:
        yield
    except Disturbed as why:
        raise OutboxError(str(why)) from why
    except Unsound as why:  # it was found sound each time
        raise OutboxError(f"the outbox {UNSOUND[str(why)]}; try again") from why
    except (sqlite3.Error, OSError) as why:
        raise OutboxError(_words(why)) from why


def _words(why: Exception) -> str:
    text = str(why)
    if isinstance(why, PermissionError):
        return f"{why.filename} may not be read or written by this user; try it with sudo"
    if "full" in text or (isinstance(why, OSError) and why.errno == errno.ENOSPC):
        return "the disk is full, so nothing can be stored"
    if "locked" in text:
        return "another process is using the outbox; try again"
    return f"the outbox cannot be used ({text})"
