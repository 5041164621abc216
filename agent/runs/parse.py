"""What a run file says: the one reader of the format that write.py writes.

Part of the boot path of `wrap` where there are other run files: imports stay few and cheap.
"""

from __future__ import annotations

import math
import os
import stat

from agent.runs.write import FORMAT

TYPE_CHECKING = False
if TYPE_CHECKING:
    End = tuple[float, float, str, int]

IDS = ("id", "started-id", "ended-id", "support-id")
MAX_BYTES = 64 * 1024
UUID_PARTS = [8, 4, 4, 4, 12]
UUID_CHARACTERS = frozenset("0123456789abcdef-")


class RunReport:
    """One run file, complete and well-formed. ValueError, KeyError or IndexError if it is not."""

    def __init__(self, lines: list[str]) -> None:
        # the first line of a name counts
        self._fields = fields = dict(reversed([line.partition(" ")[::2] for line in lines]))
        self.began, self.clock = _time(fields["time"]), _time(fields["clock"])
        self.id, self.started_id, self.ended_id, self.support_id = (_uuid(fields[name]) for name in IDS)
        self.new_instance = _uuid(fields["new-instance"]) if "new-instance" in fields else None
        """The instance id to be used where there is none. An earlier release wrote none."""
        self.endpoint, self.product, self.version = fields["endpoint"], fields["product"], fields["version"]
        self.environment = fields.get("environment", "")
        self.begun = "begun" in fields
        self.end = _end(fields["ended"]) if "ended" in fields else None
        """Wall clock, clock since boot, and how: `exit 3`, `signal 15`, `not-started 127`."""
        self.failed = fields.get("failed", "").split(" ", 2)
        """Where: line, command, script; `-` for what is not known. Not yet checked."""
        self.command_exit = fields.get("command-exit", "-")
        """The exit code of the command there; not yet checked either."""
        self.email = _email(fields.get("email", ""))
        """When help was asked for, and under which address."""

    @property
    def wrapper(self) -> tuple[str, int, int] | None:
        """The process that wrote it: boot, pid and start; None if that is not known."""
        pid, _, start = self._fields.get("pid", "").partition(" ")
        if not (pid.isdecimal() and start.isdecimal()):
            return None
        return self._fields.get("boot", ""), int(pid), int(start)


def open_run_file(path: str, access: int = os.O_RDONLY) -> int | None:
    """The file, open; None if it is no plain file, or the disk cannot read it.

    No link is followed, and no pipe is waited for.
    """
    try:
        handle = os.open(path, access | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            os.pread(handle, MAX_BYTES, 0)  # a bad sector costs no other run
            return handle
    except OSError:
        pass
    os.close(handle)
    return None


def read_run(handle: int) -> RunReport | None:
    """The report in an open run file; None if it is none."""
    return parse_run(os.read(handle, MAX_BYTES).decode("utf-8", "replace"))


def parse_run(text: str) -> RunReport | None:
    """The report in a run file; None if it is none. A last line without an end is half written: ignored."""
    lines = text.split("\n")[:-1]
    if lines[:1] != [FORMAT]:
        return None
    try:
        return RunReport(lines[1:])
    except (ValueError, KeyError, IndexError):
        return None


def _time(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _uuid(text: str) -> str:
    if [len(part) for part in text.split("-")] != UUID_PARTS or not UUID_CHARACTERS.issuperset(text):
        raise ValueError(text)
    return text


def _end(value: str) -> End:
    at, clock, how, number = value.split()[:4]
    return _time(at), _time(clock), how, int(number)


def _email(value: str) -> tuple[float, str] | None:
    """An address that is not well-formed costs no other event of the run."""
    when, _, email = value.partition(" ")
    try:
        return _time(when), email
    except ValueError:
        return None
