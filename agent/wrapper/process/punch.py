"""Giving back a file's memory from its front, which Python has no name for."""

from __future__ import annotations

KEEP_SIZE, PUNCH_HOLE = 1, 2


def punch_hole(fd: int, end: int) -> None:
    """Drop what a file holds before `end`; its size stays. A kernel or Python that cannot is no error."""
    try:
        import ctypes  # slow, and only for a file that has grown large

        fallocate = ctypes.CDLL(None).fallocate64
    except (ImportError, AttributeError, OSError):
        return
    fallocate(fd, KEEP_SIZE | PUNCH_HOLE, ctypes.c_longlong(0), ctypes.c_longlong(end & ~4095))
