"""Standard streams that may be closed, full or gone: they must cost a verb nothing but its words."""

from __future__ import annotations

import io
import os
import sys


def prepare() -> None:
    """Before a verb: no file of ours may land on a descriptor that the caller closed.

    Closed ones get /dev/null opened the wrong way round, so that data which cannot be written is
    an error; a word to the person, which nobody would see, is none.
    """
    for number, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # the lowest free descriptor, which is this one
    sys.stdout = _usable(sys.stdout, 1)
    sys.stderr = _usable(sys.stderr, 2)


def _usable(stream: object, number: int) -> io.TextIOWrapper:
    """Python's stream, or a new one where it found the descriptor closed; no character is too odd."""
    if not isinstance(stream, io.TextIOWrapper):
        return io.TextIOWrapper(
            io.FileIO(number, "w", closefd=False), errors="backslashreplace", write_through=True
        )
    stream.reconfigure(errors="backslashreplace")
    return stream


def release() -> None:
    """After a verb: what a stream could not take must not change the exit code at the very end."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, number)
            os.close(null)
