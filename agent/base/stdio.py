"""Standard streams that may be closed or full: a verb then loses its words, but still does its work."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def prepare() -> None:
    """Before a verb: fill the descriptors that the caller closed, so that no file of ours gets one of them.

    Stdin and stdout get a /dev/null opened the wrong way round, so that data which cannot be written is an
    error. Stderr gets a usable one: a message that nobody would see is no error.
    """
    for number, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # the lowest free descriptor, which is this one
    if sys.stdin is None:  # Python found it closed; whoever asks on it finds no terminal
        sys.stdin = io.TextIOWrapper(io.FileIO(0, "r", closefd=False))
    sys.stdout = _named(_usable(sys.stdout, 1))
    sys.stderr = _usable(sys.stderr, 2)


def _usable(stream: object, number: int) -> io.TextIOWrapper:
    """Python's stream, or a new one if Python found the descriptor closed. It can print every character."""
    if not isinstance(stream, io.TextIOWrapper):
        return io.TextIOWrapper(
            io.FileIO(number, "w", closefd=False), errors="backslashreplace", write_through=True
        )
    stream.reconfigure(errors="backslashreplace")
    return stream


class _Stdout(io.FileIO):
    """Descriptor 1. The errors of other files name them, so that stdout's are told apart by their name."""

    def write(self, data: ReadableBuffer) -> int:
        try:
            return super().write(data)
        except OSError as why:
            why.filename = "stdout"
            raise


def _named(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """The same stream, whose errors say that they are stdout's."""
    file = _Stdout(1, "w", closefd=False)
    direct = stream.write_through
    return io.TextIOWrapper(
        file if direct else io.BufferedWriter(file),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=direct,
    )


def release() -> None:
    """After a verb: what could not be flushed must not change the exit code at the very end."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, number)
            os.close(null)
