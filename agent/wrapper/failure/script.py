"""Which bash script CMD is, where its text is, and what it was started with."""

from __future__ import annotations

import os
import stat

from agent.wrapper.process.command import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.process.caller import Environment

MAX_TEXT = 4 * 1024 * 1024
"""A larger file is not looked at."""

PLAIN_LETTERS = frozenset(b"eufhmBCHs")
"""Options of bash that change nothing about traps and show nothing of them."""

PLAIN_NAMES = frozenset((b"errexit", b"nounset", b"pipefail", b"noglob", b"noclobber", b"hashall"))
PLAIN_WORDS = frozenset((b"--norc", b"--noprofile"))


def script_of(argv: list[bytes], environment: Environment) -> bytes | None:
    """The path of the bash script that CMD is; empty if bash reads it from stdin; None if it is none."""
    path = _found(argv[0], environment)
    if path is None:
        return None
    if os.path.basename(argv[0]) == b"bash":
        script = _operand(argv[1:])
        return script if script is None or not script or os.path.isfile(script) else None
    words = _shebang(path)
    if words and os.path.basename(words[0]) == b"env":
        words = words[1:]
    if words and os.path.basename(words[0]) == b"bash" and _operand([*words[1:], path]) == path:
        return path
    return None


def _operand(words: list[bytes]) -> bytes | None:
    """What bash runs, given these arguments; empty for stdin; None where an option forbids a trace."""
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word in (b"--", b"-"):
            break
        if word in PLAIN_WORDS:
            continue
        if word[:1] not in b"-+" or not word:
            at -= 1
            break
        letters = set(word[1:])
        if letters - PLAIN_LETTERS - {ord("o")}:
            return None
        if ord("s") in letters:
            return b""
        if ord("o") in letters:
            if words[at : at + 1] == [] or words[at] not in PLAIN_NAMES:
                return None
            at += 1
    return words[at] if at < len(words) else b""


def _shebang(path: bytes) -> list[bytes]:
    """The interpreter and its one argument, as the kernel splits them."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return []
    try:
        line = os.read(fd, 256).partition(b"\n")[0]
    except OSError:
        return []
    finally:
        os.close(fd)
    return line[2:].split(None, 1) if line.startswith(b"#!") else []


def _found(word: bytes, environment: Environment) -> bytes | None:
    for path in places(word, environment):
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def text_of(script: bytes) -> bytes | None:
    """A script's text: of a path, or of stdin if that is a regular file, from where bash will read on."""
    if script:
        return read_text(script)
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
