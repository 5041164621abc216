"""The state directory: one small value that knows every path in it.

Part of the boot path of `wrap`: imports stay few and cheap.
"""

from __future__ import annotations

import os


class StateDir:
    """Where the id, the outbox and the run files are. To ask for a path creates nothing."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"StateDir({self.path!r})"

    @property
    def id(self) -> str:
        """The instance id, as JSON."""
        return os.path.join(self.path, "instance.json")

    @property
    def outbox(self) -> str:
        """The SQLite database: the events that wait, and the log of all others."""
        return os.path.join(self.path, "outbox.db")

    @property
    def runs(self) -> str:
        """The directory of run files: one for each wrapped install that is not in the outbox yet."""
        return os.path.join(self.path, "runs")

    @property
    def seen(self) -> str:
        """The paths of the docker.env files that the last beat read, separated by NUL."""
        return os.path.join(self.path, "env-files")

    @property
    def notice(self) -> str:
        """Exists once the notice was shown in full."""
        return os.path.join(self.path, "notice-shown")

    @property
    def asked(self) -> str:
        """Exists once the opt-in question was asked."""
        return os.path.join(self.path, "opt-in-asked")

    @property
    def due(self) -> str:
        """When the daemon's next beat is due."""
        return os.path.join(self.path, "due.json")

    @property
    def lock(self) -> str:
        """Held while the id is made, a change of the outbox begins, or a broken one is set aside."""
        return os.path.join(self.path, "lock")

    @property
    def sender(self) -> str:
        """Held by the one process that sends."""
        return os.path.join(self.path, "sender.lock")

    @property
    def retry(self) -> str:
        """Held by the one process that keeps trying after a wrapped install."""
        return os.path.join(self.path, "retry.lock")

    @property
    def daemon(self) -> str:
        """Held by the one resident daemon."""
        return os.path.join(self.path, "daemon.lock")

    def memory(self) -> list[str]:
        """Every file that holds data; the locks do not. Some of them may not exist."""
        asides = (self.outbox + aside for aside in ("", ".damaged", ".newer"))
        databases = [name + suffix for name in asides for suffix in ("", "-journal")]
        marks = (self.seen, self.due, self.notice, self.asked)
        known = [self.id, self.id + ".damaged", *databases, *marks]
        return known + _below(self.path, ".new") + self.run_files()

    def run_files(self) -> list[str]:
        """The run files that exist."""
        return _below(self.runs)

    def make(self) -> None:
        """Make the directory, for its owner only; one that exists is left as it is.

        The umask is changed meanwhile: an odd one could lock the owner out of it or of its parents.
        """
        umask = os.umask(0o077)
        try:
            os.umask(umask & 0o077)
            os.makedirs(self.path, mode=0o700, exist_ok=True)
        finally:
            os.umask(umask)

    def exists(self) -> bool:
        return os.path.isdir(self.path)


def _below(path: str, ending: str = "") -> list[str]:
    """The files of a directory whose names have this ending; none if there is no directory."""
    try:
        return [os.path.join(path, name) for name in sorted(os.listdir(path)) if name.endswith(ending)]
    except OSError:
        return []
