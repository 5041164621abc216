"""Whether and how a bash script is traced: which bash, which text, and the file that BASH_ENV names.

The file, and the one that reports go to, live in memory and are open in this process alone;
bash reaches them through /proc. Nothing is left behind, whoever is killed when.
"""

from __future__ import annotations

import os

from agent.wrapper.process.command import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.runs.write import Place
    from agent.wrapper.process.caller import Environment

MAX_TEXT = 4 * 1024 * 1024
PLAIN_LETTERS = frozenset(b"eufhmBCHs")
"""Options of bash that change nothing about traps and show nothing of them."""

PLAIN_NAMES = frozenset((b"errexit", b"nounset", b"pipefail", b"noglob", b"noclobber", b"hashall"))
PLAIN_WORDS = frozenset((b"--norc", b"--noprofile"))
TELLTALE = frozenset((b"SHELLOPTS", b"BASHOPTS", b"POSIXLY_CORRECT", b"BASH_XTRACEFD", b"BASH_COMPAT"))
NOTICING = frozenset(
    (
        *(b"trap", b"eval", b"source", b".", b"set", b"shopt", b"declare", b"typeset", b"type", b"command"),
        *(b"caller", b"compgen", b"builtin", b"alias", b"unset", b"enable", b"exec", b"export", b"readonly"),
        *(b"FUNCNAME", b"BASH_LINENO", b"BASH_SOURCE", b"SHELLOPTS", b"xtrace", b"errtrace", b"function"),
    )
)
"""Words by which a script may see, change or leave behind a function `exit` or errtrace."""

HARMLESS_SET = rb"\bset[ \t]+(?:[-+][euf]+|[-+][euf]*o[ \t]+(?:errexit|nounset|pipefail)|[ \t])+(?=[;&|\n]|$)"

SHOWING = (b"BASH_XTRACEFD", b"BASH_ENV", b"BASH_ARG", b"extdebug", b"verbose", b"posix", b"restricted")
"""Where a script speaks of these, the trace might show, or be in its way."""


class Trace:
    """CMD's environment with the trace in it, and the report to read when CMD has ended."""

    def __init__(self, environment: Environment, report: int, source: int, text: bytes | None) -> None:
        self.environment = environment
        self.text = text
        self._report = report
        self._source = source

    def descriptors(self) -> set[int]:
        return {self._report, self._source}

    def failed(self, code: int) -> Place | None:
        """Where the script failed, if that is known."""
        from agent.wrapper.failure.place import where

        os.lseek(self._report, 0, os.SEEK_SET)
        return where(os.read(self._report, 1 << 20), code, self.text)


def prepare(argv: list[bytes], environment: Environment) -> Trace | None:
    """A trace for CMD, or None where CMD is no bash script or the trace might be noticed."""
    script = script_of(argv, environment)
    if script is None or os.getuid() != os.geteuid() or os.getgid() != os.getegid():
        return None
    if any(environment.get(name) is not None for name in TELLTALE):
        return None
    own = environment.get(b"BASH_ENV")
    if own and not _readable(own):
        return None
    text = _text(script) if script else None
    if script and (text is None or shows(text)):
        return None
    report, source = os.memfd_create("report"), os.memfd_create("trace")
    here = f"/proc/{os.getpid()}/fd/"
    os.write(source, _source(f"{here}{report}".encode(), own, known=text is not None and not notices(text)))
    path = f"{here}{source}".encode()
    if not os.access(path, os.R_OK):
        return None
    return Trace(environment.with_entry(b"BASH_ENV", path), report, source, text)


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


def _readable(path: bytes) -> bool:
    """Whether bash would plainly read it: a path without anything that bash would expand."""
    plain = path.startswith(b"/") and not set(path) & set(b"$`\\~\"'\n")
    return plain and os.path.isfile(path) and os.access(path, os.R_OK)


def _text(path: bytes) -> bytes | None:
    try:
        with open(path, "rb", buffering=0) as file:
            text = file.read(MAX_TEXT)
    except OSError:
        return None
    return text if len(text) < MAX_TEXT else None


def shows(text: bytes) -> bool:
    """Whether the script might look at what the trace changes."""
    if any(word in text for word in SHOWING):
        return True
    near = (b"trap", b"set", b"-p")
    return any(_looks(line) for line in text.split(b"\n") if any(word in line for word in near))


def _looks(line: bytes) -> bool:
    """Whether a line lists traps or variables, or turns on `set -v`."""
    for mark in b";|&(){}`<>":
        line = line.replace(bytes((mark,)), b" \n ")
    words = line.split(b" ")
    for at, word in enumerate(words):
        after = next((w for w in words[at + 1 :] if w), b"\n")
        if word.strip() in (b"trap", b"set") and after.startswith((b"\n", b"-p")):
            return True
        if word.strip() in (b"declare", b"typeset", b"export") and after.startswith(b"-") and b"p" in after:
            return True
        letters = after[1:] if after[:1] in (b"-", b"+") else b"-"
        if word.strip() == b"set" and not letters.startswith(b"-") and set(letters) & set(b"vT"):
            return True
    return False


def notices(text: bytes) -> bool:
    """Whether the script might notice errtrace, or that `exit` is a function."""
    import re  # for the scripts that need it, not for every start

    own_exit = re.search(rb"\bexit[ \t]*\(", text) is not None
    text = re.sub(HARMLESS_SET, b" ", text)
    for mark in b";|&(){}`<>\"'\\\t\n[]!$":
        text = text.replace(bytes((mark,)), b" ")
    return own_exit or not NOTICING.isdisjoint(text.split(b" ")) or b" - " in text


def _source(report: bytes, own: bytes | None, *, known: bool) -> bytes:
    with open(os.path.join(os.path.dirname(__file__), "trace.bash"), "rb", buffering=0) as file:
        text = file.read()
    restore = b"unset -v BASH_ENV" if own is None else b"BASH_ENV=" + _quoted(own)
    text = text.replace(b"@OWN@", b". " + _quoted(own) if own else b"")
    text = text.replace(b"@KNOWN@", b"1" if known else b"0")
    return text.replace(b"@REPORT@", report).replace(b"@RESTORE@", restore)


def _quoted(value: bytes) -> bytes:
    return b"'" + value.replace(b"'", b"'\\''") + b"'"
