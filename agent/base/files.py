"""Small files: read without waiting, written so that a reader never sees half of one.

Part of the boot path of `wrap`: imports stay few and cheap.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class TooLargeError(ValueError):
    """The file has more bytes than are read."""


def read_small(path: str, at_most: int) -> bytes:
    """All of a regular file; ValueError for anything else, or for more than `at_most` bytes."""
    return read_with_stat(path, at_most)[0]


def read_with_stat(path: str, at_most: int) -> tuple[bytes, os.stat_result]:
    """The same, with the file's owner and mode."""
    handle = _open_regular(path)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(path)
        data = b""
        while chunk := os.read(handle, at_most + 1 - len(data)):
            data += chunk
    finally:
        os.close(handle)
    if len(data) > at_most:
        raise TooLargeError(path)
    return data, found


def _open_regular(path: str) -> int:
    """Open what somebody else may have put there.

    A FIFO would block us, and only to open some devices does something: /dev/watchdog restarts the machine.
    So the path is looked up without opening anything, and a regular file is then opened under the name that
    /proc has for it.
    """
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(place).st_mode):
            raise ValueError(path)
        how = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        try:
            return os.open(f"/proc/self/fd/{place}", how)
        except FileNotFoundError:  # there is no /proc
            return os.open(path, how)
    finally:
        os.close(place)


FileStamp = list[object]
"""A file as it was: [path, device, inode, size, mtime_ns], or [path, None] if there was none."""


def file_stamp(path: str) -> FileStamp:
    """The file as it is now, without opening it; one that cannot be looked at counts as absent."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return [path, None]
    return [path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns]


def replace_file(
    path: str, data: bytes, *, like: os.stat_result | None = None, check: Callable[[], None] | None = None
) -> None:
    """Replace the file by `data`, durably and in one step; readable by its owner only, or as `like` is.

    `check` is called right before that step, and what it raises keeps the old file.
    """
    temporary = f"{path}.{os.getpid()}.new"
    if os.path.lexists(temporary):
        os.unlink(temporary)  # left by a killed process; in a container the next one has the same pid
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            if like is not None:
                _own(handle, like)
            os.fchmod(handle, 0o600 if like is None else like.st_mode & 0o7777)
            with open(handle, "wb", closefd=False) as file:
                file.write(data)
            os.fsync(handle)
        finally:
            os.close(handle)
        if check is not None:
            check()
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_directory(os.path.dirname(path) or ".")


def _own(handle: int, like: os.stat_result) -> None:
    mine = os.fstat(handle)
    if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid):
        os.fchown(handle, like.st_uid, like.st_gid)


def sync_directory(path: str) -> None:
    """Make the names in a directory survive a power cut, as the files do."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
