"""The state directory: one small value that knows every path in it.

Part of the boot path of `wrap`: imports stay few and cheap.
"""

from __future__ import annotations

import os


class StateDir:
    """Where the id, the outbox and the run files are. To ask for a path creates nothing."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.id = os.path.join(path, "instance.json")
        """The instance id, as JSON."""
        self.outbox = os.path.join(path, "outbox.db")
        """The SQLite database: the events that wait, and the log of all others."""
        self.runs = os.path.join(path, "runs")
        """The directory of run files: one for each wrapped install that is not in the outbox yet."""
        self.bundles = os.path.join(path, "bundles")
        """The directory of sealed support bundles that wait."""
        self.seen = os.path.join(path, "env-files")
        """The paths of the docker.env files that the service or a beat read last, separated by NUL."""
        self.notice = os.path.join(path, "notice-shown")
        """Exists once the notice was shown in full."""
        self.shown = os.path.join(path, "catalogue-shown")
        """Up to which version of the catalogue the operator was shown it, as a number."""
        self.asked = os.path.join(path, "opt-in-asked")
        """The version of usage events that the opt-in question was last asked about, as a number."""
        self.due = os.path.join(path, "due.json")
        """When the daemon's next beat is due."""
        self.updates = os.path.join(path, "updates.json")
        """The vendor's last good feed of releases and advisories, and what it means for this version."""
        self.feed_due = os.path.join(path, "feed-due.json")
        """At which time of day the feed is asked for, and not before when."""
        self.lock = os.path.join(path, "lock")
        """Held while the id is made, and to open, ask, rename or delete the outbox or to begin a change."""
        self.sender = os.path.join(path, "sender.lock")
        """Held by the one process that sends."""
        self.retry = os.path.join(path, "retry.lock")
        """Held by the one process that keeps trying after a wrapped install."""
        self.daemon = os.path.join(path, "daemon.lock")
        """Held by the one resident daemon."""

    def __repr__(self) -> str:
        return f"StateDir({self.path!r})"

    def memory(self) -> list[str]:
        """Every file that holds data; the locks do not. Some of them may not exist."""
        databases = [self.outbox, self.outbox + "-journal", *self.asides()]
        marks = (self.seen, self.due, self.notice, self.shown, self.asked, self.updates, self.feed_due)
        known = [self.id, self.id + ".damaged", *databases, *marks]
        return known + _below(self.path, ".new") + self.run_files() + self.bundle_files()

    def asides(self) -> list[str]:
        """What was the outbox and could not be used, under the name that it got. Nobody reads it again."""
        return [self.outbox + why + suffix for why in (".damaged", ".newer") for suffix in ("", "-journal")]

    def run_files(self) -> list[str]:
        """The run files that exist."""
        return _below(self.runs)

    def bundle_files(self) -> list[str]:
        """The files of support bundles that exist."""
        return _below(self.bundles)

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
