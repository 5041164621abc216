"""Whether CMD is a shell script, of any shell; and its text, as it is before it runs."""

from __future__ import annotations

import os
import stat

from agent.wrapper.process.command import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.process.caller import Environment

SHELLS = frozenset(b"sh dash ash bash ksh ksh93 mksh lksh pdksh posh yash zsh".split())
MAX_TEXT = 1 << 19
FIRST_LINE = 256
PLAIN_LETTERS = frozenset(b"eufhbmBCHxvsc")
PLAIN_NAMES = {b"errexit": b"e", b"nounset": b"u", b"noglob": b"f", b"noclobber": b"C", b"pipefail": b""}


class Script:
    """A shell script, and how it is run."""

    def __init__(self, text: bytes, options: bytes, arguments: list[bytes]) -> None:
        self.text = text
        self.options = options
        """The letters of its shell's options."""
        self.arguments = [os.fsdecode(word) for word in arguments]
        self.names: set[bytes] = set()
        """What its process may be called."""
        self.environment: Environment


def script_of(argv: list[bytes], environment: Environment) -> Script | None:
    """The script that CMD is; None where it is none, or where its text cannot be read beforehand."""
    path = next((path for path in places(argv[0], environment) if os.access(path, os.X_OK)), None)
    if path is None or not os.path.isfile(path):
        return None
    words = argv
    if not _is_shell(words):
        words = [*_shebang(path), path, *argv[1:]]
    if os.path.basename(words[0]) == b"env":
        words = words[1:]
    if not _is_shell(words):
        return None
    script = _script(words[2:] if os.path.basename(words[0]) == b"busybox" else words[1:])
    if script:
        script.names = {os.path.basename(argv[0]), os.path.basename(words[0])}
        script.environment = environment
    return script


def _is_shell(words: list[bytes]) -> bool:
    names = [os.path.basename(word) for word in words[:2]]
    return names[:1] != [] and names[1 if names[0] == b"busybox" and len(names) > 1 else 0] in SHELLS


def _shebang(path: bytes) -> list[bytes]:
    """The interpreter and its one argument, as the kernel splits them; sh where a script names none."""
    start = _read(path, FIRST_LINE) or b"\0"
    line = start.partition(b"\n")[0]
    if line.startswith(b"#!"):
        return line[2:].split(None, 1) or [b""]
    return [b""] if b"\0" in line else [b"sh"]


def _script(words: list[bytes]) -> Script | None:
    """What a shell with these arguments runs."""
    letters = b""
    at = 0
    while at < len(words) and words[at][:1] in (b"-", b"+") and len(words[at]) > 1:
        word = words[at]
        at += 1
        if word == b"--":
            break
        if word[1:].endswith(b"o") and words[at : at + 1]:
            if words[at] not in PLAIN_NAMES:
                return None
            letters += PLAIN_NAMES[words[at]] if word[:1] == b"-" else b""
            at, word = at + 1, word[:-1]
        if set(word[1:]) - PLAIN_LETTERS:
            return None
        letters += word[1:] if word[:1] == b"-" else b""
    rest = words[at:]
    if b"c" in letters:
        return Script(rest[0], letters, rest[1:]) if rest else None
    text = _of_stdin() if not rest or b"s" in letters else _read(rest[0], MAX_TEXT)
    return Script(text, letters, rest) if text is not None and len(text) < MAX_TEXT else None


def _of_stdin() -> bytes | None:
    """What a shell will read there, if that is a file; where it is read from stays as it is."""
    try:
        if not stat.S_ISREG(os.fstat(0).st_mode):
            return None
        return os.pread(0, MAX_TEXT, os.lseek(0, 0, os.SEEK_CUR))
    except OSError:
        return None


def _read(path: bytes, size: int) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, size) if stat.S_ISREG(os.fstat(fd).st_mode) else None
    except OSError:
        return None
    finally:
        os.close(fd)
