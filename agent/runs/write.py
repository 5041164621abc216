"""The run file: what one wrapped install leaves behind for the outbox, whatever becomes of us.

Lines of `key value`, appended, in a folder of the state directory. The file is locked for as
long as the wrapper lives; `agent.outbox.collect` turns it into events. All messageIds are chosen
here, once, so that importing a file twice changes nothing.
"""

from __future__ import annotations

import fcntl
import os
import time

from agent.base import processes
from agent.base.owner import ActingAsOwner
from agent.events.ids import uuid4, uuid7

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.base.statedir import StateDir
    from agent.config.situation import Situation

FORMAT = "rollcall-run 1"
SUFFIX, UNFINISHED = ".run", ".new"


class RunFile:
    """One run's file, open, locked and ours. `id` is the run's; its first eight are the reference."""

    def __init__(self, state: StateDir, folder: int, name: str, fd: int, run: str) -> None:
        self._state = state
        self._folder = folder
        self._name = name
        self.fd = fd
        self.id = run

    @property
    def reference(self) -> str:
        return self.id[:8]

    def append(self, *lines: str) -> None:
        """Add whole lines."""
        text = "".join(line + "\n" for line in lines).encode("utf-8", "replace")
        if os.write(self.fd, text) != len(text):
            raise OSError(28, os.strerror(28))

    def sync(self) -> None:
        """Make what was appended survive a power cut."""
        os.fdatasync(self.fd)

    def sync_name(self) -> None:
        """Make the file's name survive one too; once is enough."""
        os.fsync(self._folder)

    def remove(self) -> None:
        """There was no run after all."""
        with ActingAsOwner(self._state):
            os.unlink(self._name, dir_fd=self._folder)

    def descriptors(self) -> set[int]:
        return {self.fd, self._folder}


def create(situation: Situation) -> RunFile:
    """Make, lock and head a run file. OSError or SettingError where that cannot be."""
    state, settings = situation.state, situation.settings
    state.make()
    with ActingAsOwner(state):
        try:
            os.mkdir(state.runs, 0o700)
        except FileExistsError:
            pass
        folder = os.open(state.runs, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        run = uuid4()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(run + UNFINISHED, flags, 0o600, dir_fd=folder)
        file = RunFile(state, folder, run + UNFINISHED, fd, run)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.append(*_head(run, settings.endpoint, settings.product, settings.product_version))
            os.rename(run + UNFINISHED, run + SUFFIX, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(run + UNFINISHED, dir_fd=folder)
            raise
    file._name = run + SUFFIX  # noqa: SLF001 - still being made
    return file


def _head(run: str, endpoint: str, product: str, version: str) -> list[str]:
    now = time.time()
    return [
        FORMAT,
        f"id {run}",
        f"pid {os.getpid()} {processes.started(os.getpid())}",
        f"boot {processes.boot_id()}",
        f"time {now:.3f}",
        f"clock {time.clock_gettime(time.CLOCK_BOOTTIME):.3f}",
        f"started-id {uuid7(now)}",
        f"ended-id {uuid7(now)}",
        f"support-id {uuid7(now)}",
        f"endpoint {endpoint}",
        f"product {product}",
        f"version {version}",
    ]
