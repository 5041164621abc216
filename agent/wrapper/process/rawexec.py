"""execve with an environment that Python refuses: an entry without "=", or with an empty name.

Slow to import, and only imported where there is such an entry.
"""

from __future__ import annotations

import ctypes
import os


def execve(path: bytes, argv: list[bytes], entries: list[bytes]) -> None:
    """Replace this process; OSError if that cannot be."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.execve(ctypes.c_char_p(path), _array(argv), _array(entries))
    code = ctypes.get_errno()
    raise OSError(code, os.strerror(code))


def _array(words: list[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(words) + 1))(*words, None)
