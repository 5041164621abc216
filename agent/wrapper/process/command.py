"""Exec CMD: search PATH, and say what a shell would say where CMD cannot be run."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.process.caller import Environment

NOT_FOUND, NOT_EXECUTABLE = 127, 126
DEFAULT_PATH = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where a shell looks when there is no PATH."""

SHELL = b"/bin/sh"
FIRST_BYTES = 80
"""As much of a file as shells look at to tell a script from a binary."""

# After these errors the search in PATH goes on; any other error ends it.
NOT_HERE = (errno.ENOENT, errno.ENOTDIR, errno.EACCES)


class CannotRun(Exception):  # noqa: N818 - reads as what it says
    """CMD could not be started; `code` is what a shell would have exited with."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


def places(word: bytes, environment: Environment) -> list[bytes]:
    """Every path that word may stand for, in the order in which a shell tries them."""
    if b"/" in word or not word:
        return [word]
    path = environment.get(b"PATH")
    folders = (DEFAULT_PATH if path is None else path).split(b":")
    return [folder + b"/" + word if folder else b"./" + word for folder in folders]


def exec_command(argv: list[bytes], environment: Environment) -> CannotRun:
    """Exec CMD. It returns only if that fails, and says why."""
    word = argv[0]
    if not word:
        return CannotRun(NOT_FOUND, "command not found")
    denied = None
    for path in places(word, environment):
        why = _exec(path, argv, environment)
        if why.errno == errno.ENOEXEC and _is_script(path):
            why = _exec(SHELL, [SHELL, path, *argv[1:]], environment)
        if why.errno not in NOT_HERE or b"/" in word:
            return _because(path, why)
        if why.errno == errno.EACCES and denied is None and not os.path.isdir(path):
            denied = _because(path, why)
    return denied or CannotRun(NOT_FOUND, "command not found")


def _exec(path: bytes, argv: list[bytes], environment: Environment) -> OSError:
    try:
        if environment.odd():
            execve_odd(path, argv, environment.entries)
        os.execve(path, argv, environment)  # type: ignore[arg-type]  # keys() and values() are all it asks
    except OSError as error:
        return error


def execve_odd(path: bytes, argv: list[bytes], entries: list[bytes]) -> None:
    """Exec with an environment that Python refuses; OSError if that cannot be."""
    import ctypes  # slow, and seldom needed

    def array(words: list[bytes]) -> ctypes.Array[ctypes.c_char_p]:
        return (ctypes.c_char_p * (len(words) + 1))(*words, None)

    libc = ctypes.CDLL(None, use_errno=True)
    libc.execve(ctypes.c_char_p(path), array(argv), array(entries))
    code = ctypes.get_errno()
    raise OSError(code, os.strerror(code))


def _is_script(path: bytes) -> bool:
    """Whether a shell would run it line by line: text, as far as its first line shows."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        start = os.read(fd, FIRST_BYTES)
    finally:
        os.close(fd)
    return b"\0" not in start.partition(b"\n")[0]


def _because(path: bytes, error: OSError) -> CannotRun:
    if error.errno == errno.ENOENT:
        if os.path.lexists(path) and os.path.exists(path):
            return CannotRun(NOT_FOUND, "cannot execute: required file not found")
        return CannotRun(NOT_FOUND, "No such file or directory")
    if os.path.isdir(path):
        return CannotRun(NOT_EXECUTABLE, "Is a directory")
    if error.errno == errno.ENOEXEC:
        return CannotRun(NOT_EXECUTABLE, "cannot execute binary file: Exec format error")
    return CannotRun(NOT_EXECUTABLE, error.strerror or "cannot execute")
