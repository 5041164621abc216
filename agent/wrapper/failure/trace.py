"""How a bash script is traced: by which method, and the files that bash reads and writes.

Both live in memory and are open in this process alone; bash reaches them through /proc. Nothing is left
behind, whoever is killed when.
"""

from __future__ import annotations

import os
import resource

from agent.wrapper.process import prctl
from agent.wrapper.process.punch import punch_hole
from agent.wrapper.shell.script import read_text, shell_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.runs.write import Place
    from agent.wrapper.failure.looks import Look
    from agent.wrapper.failure.rules import Finding
    from agent.wrapper.process.caller import Environment
    from agent.wrapper.shell.script import ShellRun

PLAIN_OPTIONS = frozenset(b"e u f h m B C H s pipefail".split())
"""Options of bash that change nothing about traps and show nothing of them."""

TELLTALE = frozenset(
    (b"SHELLOPTS", b"BASHOPTS", b"POSIXLY_CORRECT", b"BASH_XTRACEFD", b"BASH_COMPAT", b"PS4", b"__rollcall")
)
MAX_REPORT = 1024 * 1024
KEPT = MAX_REPORT // 4
"""As much of the report's end is kept while the script runs."""

COUNT = 16384
"""After so many commands only failures are written: the script is busy with itself."""

FIRST_LINE = 1_000_000
DONE = 1_000_000_000
"""Added to what is looked for, so that it is not found again."""

AT_LINES = (
    b"${__rollcall[BASHPID-$$?1:__rollcall[2]+%d+LINENO]+`kill -URG $$`${__rollcall[__rollcall[2]=%d]-}}"
    % (FIRST_LINE, DONE)
)
"""In PS4: asks for an end before a line of which nothing is known."""

DESCRIPTORS = range(254, 200, -1)
LEAST_LIMIT = 256
"""With a lower limit of open files there is no descriptor for us that the script would not come to use."""


class Choice:
    """The method for CMD, and what kept a better one out: rules, or else a reason that is no rule's."""

    def __init__(
        self,
        method: str,
        why: str = "",
        script: bytes | None = None,
        looks: Sequence[Look] = (),
        found: Sequence[Finding] = (),
    ) -> None:
        self.method = method
        self.why = why
        self.script = script
        self.looks = list(looks)
        self.found = found


class Trace:
    """CMD's environment with the trace in it, and the report to read when CMD has ended."""

    def __init__(self, environment: Environment, report: int, source: int, choice: Choice) -> None:
        self.environment = environment
        self.grows = choice.method in ("xtrace", "traps")
        """Whether the report has more than failures in it."""
        self._report = report
        self._source = source
        self._looks = choice.looks
        self._folder = _folder()
        self._trimmed = 0

    def descriptors(self) -> set[int]:
        return {self._report, self._source}

    def trim(self) -> None:
        """Give back the memory of all but the report's end."""
        end = os.fstat(self._report).st_size - KEPT
        if end > self._trimmed + KEPT:
            self._trimmed = end
            punch_hole(self._report, end)

    def failed(self, pid: int, code: int) -> Place | None:
        """Where the script with that pid failed, if that is known."""
        from agent.wrapper.failure.place import where
        from agent.wrapper.failure.texts import Texts

        size = os.fstat(self._report).st_size
        data = os.pread(self._report, MAX_REPORT, max(0, size - KEPT))
        return where(data, pid, code, Texts(self._looks, self._folder))


def prepare(argv: list[bytes], environment: Environment, method: str | None = None) -> Trace | None:
    """A trace for CMD, or None where CMD is no bash script or the trace might be noticed."""
    choice = choose(argv, environment)
    choice.method = method = method or choice.method
    if method == "none":
        return None
    report, source = os.memfd_create("report"), os.memfd_create("trace")
    here = b"/proc/%d/fd/" % os.getpid()
    own = environment.get(b"BASH_ENV")  # one that is empty names no file, and stays empty
    os.write(source, _code(method, b"%s%d" % (here, report), own, choice.looks))
    path = b"%s%d" % (here, source)
    prctl.open_to_own_user()
    if not os.access(path, os.R_OK):
        return None
    return Trace(environment.with_entry(b"BASH_ENV", path), report, source, choice)


def choose(argv: list[bytes], environment: Environment) -> Choice:
    """The strongest method that CMD cannot notice."""
    run = shell_run(argv, environment)
    if run is None or run.shell != b"bash" or run.options - PLAIN_OPTIONS:
        return Choice("none", "CMD is no bash script, or has options that a trace would show in")
    if os.getuid() != os.geteuid() or os.getgid() != os.getegid():
        return Choice("none", "it runs with the rights of two users", run.path)
    for name in sorted(TELLTALE):
        if environment.get(name) is not None:
            return Choice("none", f"{name.decode()} is in the environment", run.path)
    if resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY:
        return Choice("none", "files may have only a limited size, and ours would end the script", run.path)
    own = environment.get(b"BASH_ENV")
    if own and not _readable(own):
        return Choice("none", "BASH_ENV in the environment names no file that can be read", run.path)
    return _by_text(run, own, environment)


def _by_text(run: ShellRun, own: bytes | None, environment: Environment) -> Choice:
    text, script = run.text(), run.path
    if text is None:
        if script:
            return Choice("none", "the script cannot be read, or is larger than 4 MiB", script)
        if os.isatty(0):  # it reads no BASH_ENV, and would pass ours on to all that is started in it
            return Choice("none", "bash is interactive, or its text is typed on a terminal", script)
        return Choice("error", "the script comes from a pipe, so its text is not known before", script)
    from agent.wrapper.failure import rules, sources

    looks = sources.looks(script, text, environment)
    if own:
        looks += sources.looks(own, read_text(own) or b"", environment)
    found = rules.findings(looks)
    method = rules.strongest(found)
    if method in rules.DEEP and _descriptor(looks) is None:
        return Choice("error", "it may have only few files open", script, looks)
    return Choice(method, "", script, looks, found)


def _descriptor(looks: list[Look]) -> int | None:
    """A number for our descriptor that no text names, below the limit."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    free = (fd for fd in DESCRIPTORS if not any(b"%d" % fd in look.text for look in looks))
    return next(free, None) if limit >= LEAST_LIMIT or limit < 0 else None


def _code(method: str, report: bytes, own: bytes | None, looks: list[Look]) -> bytes:
    """What bash reads before the script."""
    text = _method(method)
    values = {
        b"RESTORE": b"unset -v BASH_ENV" if own is None else b"BASH_ENV=" + _quoted(own),
        b"OWN": b". " + _quoted(own) if own else b"",
    }
    if method != "error":
        from agent.wrapper.failure.signs import err_trap, sets_errtrace, stops

        own_trap, own_errtrace = any(map(err_trap, looks)), any(map(sets_errtrace, looks))
        lines = {
            line for look in looks for command in stops(look) for line in range(command.line, command.end + 1)
        }
        values |= {
            b"FD": b"%d" % (_descriptor(looks) or 0),
            b"COUNT": b"%d" % COUNT,
            b"DONE": b"%d" % DONE,
            b"ERRTRACE": b"" if own_trap or own_errtrace else b"E",
            b"ERROR": b":" if own_trap else _error_trap().replace(b"'", b"'\\''"),
            b"ONLYERROR": _error_trap(),
            b"MARKS": b" ".join(
                b"[%d]=1" % at for at in [COUNT, *(FIRST_LINE + line for line in sorted(lines))]
            ),
            b"ATLINES": AT_LINES if lines else b"",
            b"LEAST": b"50" if lines else b"44",  # in bash 4 the trap comes too late for such a line
        }
    values[b"REPORT"] = report
    for name, value in values.items():
        text = text.replace(b"@%s@" % name, value)
    return text


def _error_trap() -> bytes:
    """The line of error.bash that sets its trap."""
    lines = _method("error").split(b"\n")
    line = next(line for line in lines if line.lstrip().startswith(b"trap "))
    return line.strip()


def _method(name: str) -> bytes:
    with open(os.path.join(os.path.dirname(__file__), "methods", f"{name}.bash"), "rb", buffering=0) as file:
        return file.read()


def _folder() -> bytes:
    """Where the script is started; it may remove that folder. One that is gone already has a name too."""
    try:
        return os.getcwdb()
    except OSError:
        return b"/proc/self/cwd"


def _readable(path: bytes) -> bool:
    """Whether bash would plainly read it: a path without anything that bash would expand."""
    plain = path.startswith(b"/") and not set(path) & set(b"$`\\~\"'\n")
    return plain and os.path.isfile(path) and os.access(path, os.R_OK)


def _quoted(value: bytes) -> bytes:
    return b"'" + value.replace(b"'", b"'\\''") + b"'"
