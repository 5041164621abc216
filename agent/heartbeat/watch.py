"""Hearing of an edit at once: the kernel sends SIGIO when something in a folder changes.

systemd restarts the service for an edit of docker.env. A container has nobody for that, and would see one
only at the next look. Where the kernel says nothing (a network file system) that look still comes.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

EDITS = fcntl.DN_MODIFY | fcntl.DN_CREATE | fcntl.DN_DELETE | fcntl.DN_RENAME | fcntl.DN_ATTRIB


class FolderWatch:
    """Owns a descriptor for each folder that is watched. The owner of the process blocks SIGIO."""

    def __init__(self) -> None:
        self._watched: dict[str, tuple[int, tuple[int, int]]] = {}

    def follow(self, files: Iterable[str]) -> bool:
        """Watch the folders of these files, and no others. A folder that was replaced is watched anew.

        Whether there is a new one: what changed in it before is not told.
        """
        folders = {os.path.dirname(file) for file in files}
        for folder in [one for one in self._watched if one not in folders or self._is_replaced(one)]:
            os.close(self._watched.pop(folder)[0])
        before = len(self._watched)
        for folder in folders - self._watched.keys():
            self._watch(folder)
        return len(self._watched) > before

    def _is_replaced(self, folder: str) -> bool:
        try:
            found = os.stat(folder)
        except OSError:
            return True
        return (found.st_dev, found.st_ino) != self._watched[folder][1]

    def _watch(self, folder: str) -> None:
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return
        try:
            found = os.fstat(handle)
            fcntl.fcntl(handle, fcntl.F_NOTIFY, EDITS | fcntl.DN_MULTISHOT)
        except OSError:
            os.close(handle)
        else:
            self._watched[folder] = handle, (found.st_dev, found.st_ino)
