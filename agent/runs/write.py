"""The run file: what one wrapped install leaves for the outbox, even if the wrapper is killed.

Lines of `key value` are appended to a file in the state directory. The wrapper keeps it locked as long as it
lives. `parse` reads the format back, and `agent.outbox.collect` makes events of it. All messageIds are chosen
here, once, so that collecting a file twice changes nothing. An instance id is drawn here too, in case there
is none yet: `log` shows it before anybody collects the file.
"""

from __future__ import annotations

import fcntl
import os
import time

from agent.base import processes
from agent.base.ids import uuid4, uuid7
from agent.base.owner import ActingAsOwner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.base.statedir import StateDir
    from agent.config.settings import Settings
    from agent.config.situation import Situation

    Place = tuple[str, str, str, str]
    """Where a script failed: line, command, script, the command's exit code; `-` for what is not known."""

FORMAT = "rollcall-run 1"
SUFFIX, UNFINISHED = ".run", ".new"


class RunFile:
    """One run's file, open and locked by us. The `reference` is the start of the run's id."""

    def __init__(self, state: StateDir, folder: int, name: str, fd: int, run: str) -> None:
        self._state = state
        self._folder = folder
        self._name = name
        self.fd = fd
        self.id = run

    @property
    def reference(self) -> str:
        return self.id[:8]

    def note_start(self) -> None:
        """CMD is about to be started."""
        self._append("begun")

    def note_end(self, how: str, number: int, failed: Place | None = None) -> None:
        """CMD ended: `exit`, `signal` or `not-started`, with the number; and where it failed, if known."""
        place = [f"failed {' '.join(failed[:3])}", f"command-exit {failed[3]}"] if failed else []
        self._append(*place, f"ended {time.time():.3f} {processes.seconds_since_boot():.3f} {how} {number}")

    def note_email(self, address: str) -> None:
        """Help was asked for, under this address."""
        self._append(f"email {time.time():.3f} {address}")

    def _append(self, *lines: str) -> None:
        text = "".join(line + "\n" for line in lines).encode("utf-8", "replace")
        if os.write(self.fd, text) != len(text):
            raise OSError(28, os.strerror(28))

    def sync(self) -> None:
        """Make what was written survive a power cut."""
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


def create_run_file(situation: Situation) -> RunFile:
    """Make and lock a run file, and write its head. OSError or SettingError if that is not possible."""
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
            file._append(*_head(run, settings))  # noqa: SLF001 - still being made
            os.rename(run + UNFINISHED, run + SUFFIX, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(run + UNFINISHED, dir_fd=folder)
            raise
    file._name = run + SUFFIX  # noqa: SLF001 - still being made
    return file


def _head(run: str, settings: Settings) -> list[str]:
    now = time.time()
    return [
        FORMAT,
        f"id {run}",
        f"pid {os.getpid()} {processes.started(os.getpid())}",
        f"boot {processes.boot_id()}",
        f"time {now:.3f}",
        f"clock {processes.seconds_since_boot():.3f}",
        f"started-id {uuid7(now)}",
        f"ended-id {uuid7(now)}",
        f"support-id {uuid7(now)}",
        f"new-instance {uuid4()}",
        f"endpoint {settings.endpoint}",
        f"product {settings.product}",
        f"version {settings.product_version}",
        f"environment {settings.environment}",
    ]
