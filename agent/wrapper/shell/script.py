"""Which shell script CMD is, how it is run, and its text, as it is before it runs."""

from __future__ import annotations

import os
import stat

from agent.wrapper.process.command import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.process.caller import Environment

SHELLS = frozenset(b"sh dash ash bash ksh ksh93 mksh lksh pdksh posh yash zsh".split())
MAX_TEXT = 4 * 1024 * 1024
"""A larger file is not looked at."""

FIRST_LINE = 256
KNOWN_LETTERS = frozenset(b"eufhbmBCHxvsc")
KNOWN_NAMES = {
    b"errexit": b"e",
    b"nounset": b"u",
    b"noglob": b"f",
    b"noclobber": b"C",
    b"hashall": b"h",
    b"pipefail": b"pipefail",
}
KNOWN_WORDS = (b"--norc", b"--noprofile")


class ShellRun:
    """A shell that runs a script."""

    def __init__(self, shell: bytes) -> None:
        self.shell = shell
        """Its base name."""
        self.program = b""
        """The base name of the program that it truly is, such as dash."""
        self.names = {shell}
        """What its process may be called."""
        self.options: set[bytes] = set()
        """The letters of the options that are on, and `pipefail`."""
        self.command: bytes | None = None
        """The text on the command line, after -c."""
        self.path = b""
        """The script's file; empty where it is read from stdin."""
        self.arguments: list[bytes] = []

    def text(self) -> bytes | None:
        """The script; None where it cannot be read beforehand."""
        if self.command is not None:
            return self.command
        return read_text(self.path) if self.path else _of_stdin()


def shell_run(argv: list[bytes], environment: Environment) -> ShellRun | None:
    """The script that CMD is; None where it is none, or its shell has options that are not known here."""
    path = next((path for path in places(argv[0], environment) if os.access(path, os.X_OK)), None)
    if path is None or not os.path.isfile(path):
        return None
    words = argv if _shell(argv) else [*_shebang(path), path, *argv[1:]]
    if os.path.basename(words[0]) == b"env":
        words = words[1:]
    shell = _shell(words)
    if not shell:
        return None
    run = ShellRun(shell)
    run.program = next(
        (
            os.path.basename(os.path.realpath(each))
            for each in places(words[0], environment)
            if os.access(each, os.X_OK)
        ),
        b"",
    )
    run.names |= {os.path.basename(argv[0]), os.path.basename(words[0])}
    known = _read_options(run, words[2 if os.path.basename(words[0]) == b"busybox" else 1 :])
    return run if known else None


def _shell(words: list[bytes]) -> bytes:
    """The shell that these words run; empty if they run none."""
    names = [os.path.basename(word) for word in words[:2]]
    name = names[1] if names[:1] == [b"busybox"] and len(names) > 1 else names[0] if names else b""
    return name if name in SHELLS else b""


def _shebang(path: bytes) -> list[bytes]:
    """The interpreter and its one argument, as the kernel splits them; sh where a script names none."""
    line = (_beginning(path) or b"\0").partition(b"\n")[0]
    if line.startswith(b"#!"):
        return line[2:].split(None, 1) or [b""]
    return [b""] if b"\0" in line else [b"sh"]


def _beginning(path: bytes) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, FIRST_LINE)
    except OSError:
        return None
    finally:
        os.close(fd)


def _read_options(run: ShellRun, words: list[bytes]) -> bool:
    """Note what a shell does with these arguments; whether all of them are known."""
    at = 0
    while at < len(words) and words[at][:1] in (b"-", b"+"):
        word = words[at]
        at += 1
        if word in (b"-", b"--"):
            break
        if word in KNOWN_WORDS:
            continue
        if set(word[1:]) - KNOWN_LETTERS - {ord("o")}:
            return False
        names = {word[each : each + 1] for each in range(1, len(word))} - {b"o"}
        if b"o" in word[1:]:
            if words[at : at + 1] == [] or words[at] not in KNOWN_NAMES:
                return False
            names.add(KNOWN_NAMES[words[at]])
            at += 1
        run.options = run.options | names if word[:1] == b"-" else run.options - names
    return _note_script(run, words[at:])


def _note_script(run: ShellRun, rest: list[bytes]) -> bool:
    if b"c" in run.options:
        run.command, run.arguments = (rest[0] if rest else None), rest[2:]
        return bool(rest)
    if b"s" in run.options or not rest:
        run.arguments = rest
        return True
    run.path, run.arguments = rest[0], rest[1:]
    return os.path.isfile(run.path)


def _of_stdin() -> bytes | None:
    """What a shell will read there, if that is a file; where it is read from stays as it is."""
    try:
        if not stat.S_ISREG(os.fstat(0).st_mode):
            return None
        text = os.pread(0, MAX_TEXT, os.lseek(0, 0, os.SEEK_CUR))
    except OSError:
        return None
    return text if len(text) < MAX_TEXT else None


def read_text(path: bytes) -> bytes | None:
    """A file's text, unless it is too large to look at, or nothing to read twice."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        with open(fd, "rb", buffering=0, closefd=False) as file:
            text = file.read(MAX_TEXT)
    except OSError:
        return None
    finally:
        os.close(fd)
    return text if len(text) < MAX_TEXT else None
