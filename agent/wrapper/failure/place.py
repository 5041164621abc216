"""Where a script failed, from what its bash reported: an exact line, that of the call, or none.

A wrong line is worse than none, so what bash says is held against the script's own text.
"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.runs.write import Place

FIELDS = 9
UNKNOWN = b"-"
ASSIGNMENT = re.compile(rb"""[A-Za-z_]\w*\+?=(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\;|&<>()$`])*\s+""")
PROGRAM = re.compile(rb"[A-Za-z0-9_.+/-]+(?=\s|$)")
PLAIN = re.compile(rb"[A-Za-z0-9_.+-]{1,64}")
NOT_PROGRAMS = frozenset((b"exit", b"return", b"eval", b"source", b".", b"trap", b"unset"))


class Report:
    """One record that bash wrote."""

    def __init__(self, fields: list[bytes]) -> None:
        self.kind, self.status, self.pipe, self.command, self.line = fields[:5]
        self.called_at, self.function, self.source, self.caller = fields[5:]


def where(data: bytes, code: int, text: bytes | None) -> Place | None:
    """Line, command and script, for a run that ended with this exit code; `-` for what is not known."""
    fields = data.split(b"\0")[:-1]
    if len(fields) < FIELDS:
        return None
    last = Report(fields[-FIELDS:])
    if last.status != b"%d" % code:
        return None
    return _place(*(_at_exit(last) if last.kind == b"EXIT" else _at_error(last, text)))


def _at_error(report: Report, text: bytes | None) -> tuple[bytes, bytes, bytes]:
    """A command failed and the script ended: exact, if the line holds the command's first word.

    Of a command of several lines bash may name any.
    """
    command = program(report.command)
    if report.pipe.split()[-1:] == [b"0"]:  # another part of the pipeline failed
        command = UNKNOWN
    first = (report.command.split(None, 1) or [b""])[0].partition(b"=")[0]
    in_main = not report.caller or report.source == report.caller or report.called_at == b"0"
    exact = not in_main or text is None or first in _line(text, report.line)
    return (report.line if exact else UNKNOWN), command, base_name(report.source)


def _at_exit(report: Report) -> tuple[bytes, bytes, bytes]:
    """`exit` at top level: its line. In a function such as `die`: the line that called it."""
    if report.function == b"main":
        return report.line, UNKNOWN, base_name(report.source)
    return report.called_at, UNKNOWN, base_name(report.caller)


def program(command: bytes) -> bytes:
    """The base name of the program that a command runs, if it is plain."""
    while found := ASSIGNMENT.match(command):
        command = command[found.end() :]
    word = PROGRAM.match(command)
    name = word[0].rpartition(b"/")[2] if word else b""
    return name if PLAIN.fullmatch(name) and name not in NOT_PROGRAMS else UNKNOWN


def base_name(path: bytes) -> bytes:
    name = os.path.basename(path)
    return name if name and name not in (b"main", b"environment") else UNKNOWN


def _line(text: bytes, number: bytes) -> bytes:
    lines = text.split(b"\n")
    at = int(number) - 1 if number.isdigit() else -1
    return lines[at] if 0 <= at < len(lines) else b""


def _place(line: bytes, command: bytes, script: bytes) -> Place | None:
    if line == command == UNKNOWN:
        return None
    return line.decode(), command.decode(), script.decode("utf-8", "replace"), "-"
