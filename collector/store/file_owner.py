"""Whose the file of an SQLite database is."""

from __future__ import annotations

import os
import stat
from contextlib import suppress


def make_file(path: str) -> None:
    """Make the file if there is none.

    A service's user owns a folder that nobody else may enter. If root makes the file there, as to restore a
    backup, it is that user's too: systemd gives it nothing later. Of its log, SQLite itself takes care.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    else:
        folder = os.stat(os.path.dirname(path) or ".")
        if os.geteuid() == 0 and not folder.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            with suppress(OSError):  # not every root may, as in a container
                os.fchown(file, folder.st_uid, folder.st_gid)
    os.close(file)
