"""Writing a file so that a reader sees the old one or the new one, never half of it."""

from __future__ import annotations

import os


def replace(path: str, data: bytes, *, mode: int = 0o600, like: os.stat_result | None = None) -> None:
    """Put `data` at `path`, durably and at once. `like` gives mode and owner where one is replaced."""
    temporary = f"{path}.{os.getpid()}.new"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            if like is not None and (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(handle, like.st_uid, like.st_gid)
            os.fchmod(handle, mode if like is None else like.st_mode & 0o7777)
            with open(handle, "wb", closefd=False) as file:
                file.write(data)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_directory(os.path.dirname(path) or ".")


def sync_directory(path: str) -> None:
    """Make the names in a directory as durable as the files they stand for."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
