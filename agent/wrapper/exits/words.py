"""What single words of a shell script say."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.shell.syntax import Command, Word

BECOMING = frozenset(
    b"env nice ionice nohup setsid stdbuf chroot chrt taskset sudo doas su runuser setpriv unshare "
    b"nsenter".split()
)
"""Programs that become the one that they are told to run."""

PREFIXES = frozenset((b"command", b"exec", b"builtin", b"noglob"))
"""Words of the shell's own before a command."""

QUIET = frozenset(b": true echo export readonly unset local declare typeset times".split())
"""Commands of the shell's own that neither fail nor run anything."""

OWN = frozenset(
    b"[ alias bg cd emulate false fg getopts hash jobs kill let print printf pwd read setopt test type "
    b"ulimit umask unalias unsetopt wait whence".split()
)
"""Commands that are no program in some shell, and may fail."""

ANSWERING = frozenset(
    b"[ test expr cmp diff grep egrep fgrep zgrep rg awk which whereis command type true false tty stty tput "
    b"mountpoint pgrep pidof pkill killall getent id groups locale systemd-detect-virt dpkg-query rpm".split()
)
"""Programs whose code is an answer: a text, user, process or package is not there, or two differ."""


def base(word: bytes) -> bytes:
    return word.rpartition(b"/")[2]


def pieces(text: bytes) -> list[bytes]:
    """What in a text may be a program's name."""
    return [base(piece) for piece in re.findall(rb"[A-Za-z0-9_.+/-]+", text)]


def program_of(word: Word) -> bytes | None:
    """The base name of the program that a word runs, if it stands there, whatever its folder."""
    if word.value is not None:
        return base(word.value)
    found = re.fullmatch(rb"\S*/([A-Za-z0-9_.+-]+)", word.raw.replace(b'"', b""))
    return found[1] if found else None


def variable(raw: bytes) -> bytes:
    """The name, if a word is a variable alone."""
    found = re.fullmatch(rb'"?\$(?:(\w+|[@*?])|\{(\w+|[@*?])\})"?', raw)
    return (found[1] or found[2]) if found else b""


def number(raw: bytes) -> int | None:
    """The code that a word is."""
    text = raw.strip(b"\"'")
    return int(text) & 255 if text.isdigit() else None


def asks(words: list[Word]) -> tuple[bytes, bool] | None:
    """The word that a test compares with 0, and whether the test holds where that is 0."""
    raw = [word.raw for word in words]
    if len(raw) > 1 and raw[0] == b"[[":
        raw = [b"[[", *raw[1].split()]
    unequal = {b"-ne": False, b"!=": False, b"-gt": False, b"-eq": True, b"=": True, b"==": True}
    if len(raw) < 4 or raw[0] not in (b"[", b"[[", b"test") or raw[3].strip(b"\"'") != b"0":  # noqa: PLR2004 - test a -ne 0
        return None
    return (raw[1], unequal[raw[2]]) if raw[2] in unequal else None


def sets(command: Command, letter: bytes, name: bytes) -> bool:
    """Whether a command sets this option."""
    words = [word.value or b"" for word in command.words]
    return words[:1] == [b"set"] and any(
        word[:1] == b"-" and word[:2] != b"--" and (letter in word or words[at : at + 1] == [name])
        for at, word in enumerate(words[1:], 2)
    )
