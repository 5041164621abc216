"""What our caller gave us, as it was before Python touched it.

Python ignores SIGPIPE and SIGXFSZ, may set LC_CTYPE (PEP 538), and offers the environment as
a mapping, which holds no name twice. CMD is to get what it would have got without us.
"""

from __future__ import annotations

import os
import sys

from agent.base import sig
from agent.config.flags import is_flag, silences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Python sets these two to "ignore" before any of our code can look.
OVERWRITTEN = (sig.SIGPIPE, sig.SIGXFSZ)

# A parent of one of these names passes on the dispositions that /proc shows for it. Others
# (Python, Node) ignore SIGPIPE for themselves and put it back for their children.
PASSES_ON = frozenset((b"sh", b"bash", b"dash", b"ash", b"busybox", b"ksh", b"mksh", b"zsh", b"systemd"))


class Environment:
    """The environment as a list: order, repeated names and odd bytes kept.

    It is just enough of a mapping for os.execve, which asks for keys() and values().
    """

    def __init__(self, entries: list[bytes]) -> None:
        self.entries = entries

    def odd(self) -> bool:
        """True where os.execve would refuse or change an entry: one without a "="."""
        return any(entry.find(b"=", 1) < 0 for entry in self.entries)

    def get(self, name: bytes) -> bytes | None:
        """The first entry called name, as getenv would find it."""
        start = name + b"="
        for entry in self.entries:
            if entry.startswith(start):
                return entry[len(start) :]
        return None

    def with_entry(self, name: bytes, value: bytes) -> Environment:
        """A copy in which name is value, everything else in its place."""
        copy = Environment(list(self.entries))
        copy[name] = value
        return copy

    def text(self) -> dict[str, str]:
        """The mapping that settings are read from; the first of a repeated name counts.

        Of a repeated flag it is the first that silences.
        """
        found: dict[str, str] = {}
        for entry in self.entries:
            before, equals, after = entry.partition(b"=")
            if equals:
                name, value = os.fsdecode(before), os.fsdecode(after)
                if name not in found or (is_flag(name) and silences(value) and not silences(found[name])):
                    found[name] = value
        return found

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, name: bytes) -> bytes:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: bytes | str, value: bytes | str) -> None:
        start = os.fsencode(name) + b"="
        new = start + os.fsencode(value)
        if any(entry.startswith(start) for entry in self.entries):
            self.entries = [new if entry.startswith(start) else entry for entry in self.entries]
        else:
            self.entries.append(new)

    def keys(self) -> list[bytes]:
        return [entry[: entry.find(b"=", 1)] for entry in self.entries]

    def values(self) -> list[bytes]:
        return [entry[entry.find(b"=", 1) + 1 :] for entry in self.entries]


class Caller:
    """Environment, signal mask and ignored signals as CMD must find them.

    `launch` is what the sh launcher noted before Python ran, "SIGIGN:PID": its own ignored
    signals in hexadecimal and the pid of a stopped copy of it, whose environment is still the
    caller's. Empty where Python was started directly. `closed` are those of stdin, stdout and
    stderr that came closed. `told` is the environment of our own programs, with what install.sh said.
    """

    def __init__(self, launch: str = "", closed: Sequence[int] = ()) -> None:
        self.closed = closed
        ignored, _, keeper = launch.partition(":")
        self.environment = self.told = Environment(_environment(keeper))
        self.mask = sig.pthread_sigmask(sig.SIG_BLOCK, ())
        self.ignored = [n for n in _catchable() if sig.getsignal(n) == sig.SIG_IGN]
        overwritten = int(ignored, 16) if ignored else _ignored_by_parent()
        for number in OVERWRITTEN:
            if not overwritten >> (number - 1) & 1:
                self.ignored.remove(number)

    def tell(self, settings: Mapping[str, str]) -> None:
        """Let these settings count for our own programs; CMD does not see them."""
        for name, value in settings.items():
            self.told = self.told.with_entry(os.fsencode(name), os.fsencode(value))

    def restore_signals(self) -> None:
        """Give this process, about to exec, the dispositions and mask that were passed in.

        Handlers become the default at exec by themselves; Python's own is SIGINT's.
        """
        for number in (*OVERWRITTEN, sig.SIGCHLD):
            wanted = sig.SIG_IGN if number in self.ignored else sig.SIG_DFL
            sig.signal(number, wanted)
        sig.pthread_sigmask(sig.SIG_SETMASK, self.mask)


def command_arguments(count: int) -> list[bytes]:
    """The last count words of our command line, byte for byte."""
    if count == 0:
        return []
    if sys.getfilesystemencoding() != "utf-8":  # surrogateescape is exact in UTF-8 alone
        try:
            words = _read("/proc/self/cmdline").split(b"\0")[:-1]
            return words[-count:]
        except OSError:
            pass
    return [os.fsencode(word) for word in sys.argv[len(sys.argv) - count :]]


def _environment(keeper: str) -> list[bytes]:
    raw, alive = b"", True
    try:
        raw = _read(f"/proc/{keeper or 'self'}/environ")
    except OSError:  # no /proc
        alive = False
    if keeper:
        alive = _dismiss(int(keeper)) and alive
    if not raw and not alive:  # as good as Python can tell: of a copy that has ended, /proc says nothing
        return [name + b"=" + value for name, value in os.environb.items()]
    return raw.split(b"\0")[:-1]


def _dismiss(keeper: int) -> bool:
    """End the launcher's copy; whether it was there until now."""
    alive = False
    try:
        alive = os.waitpid(keeper, os.WNOHANG)[0] == 0
        if alive:  # and ours: the pid cannot be another's
            os.kill(keeper, sig.SIGKILL)
            os.waitpid(keeper, 0)
    except OSError:
        pass
    return alive


def _catchable() -> list[int]:
    return [int(n) for n in sig.valid_signals() if n not in (sig.SIGKILL, sig.SIGSTOP)]


def _ignored_by_parent() -> int:
    try:
        status = _read(f"/proc/{os.getppid()}/status")
    except OSError:
        return 0
    fields = dict(line.split(b":\t", 1) for line in status.split(b"\n") if b":\t" in line)
    if fields.get(b"Name") not in PASSES_ON:
        return 0
    return int(fields.get(b"SigIgn", b"0"), 16)


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()
