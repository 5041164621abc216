"""Where a script failed, from what its bash reported: an exact line, that of the call, or none.

A wrong line is worse than none, so what bash says is held against the script's own text.
"""

from __future__ import annotations

import os
import re

FIELDS = 9
SYNTAX = b"2"
"""bash ends with this where it cannot parse, and then knows the last command before that alone."""

UNKNOWN = b"-"
ASSIGNMENT = re.compile(rb"""[A-Za-z_]\w*\+?=(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\;|&<>()$`])*\s+""")
PROGRAM = re.compile(rb"[A-Za-z0-9_.+/-]+(?=\s|$)")
PLAIN = re.compile(rb"[A-Za-z0-9_.+-]{1,64}")
NOT_PROGRAMS = frozenset((b"exit", b"return", b"eval", b"source", b".", b"trap", b"unset"))
BEFORE = rb"(?:^|[;&|({!]|\b(?:then|else|do|if|while|until))\s*"
HEREDOC = re.compile(rb"<<-?\s*[\"'\\]?(\w+)")


class Report:
    """One record that bash wrote."""

    def __init__(self, fields: list[bytes]) -> None:
        self.kind, self.status, self.pipe, self.command, self.line = fields[:5]
        self.called_at, self.function, self.source, self.caller = fields[5:]


def where(data: bytes, code: int, text: bytes | None) -> str | None:
    """The `failed` line of a run file, for a run that ended with this exit code."""
    fields = data.split(b"\0")[:-1]
    reports = [Report(fields[at : at + FIELDS]) for at in range(0, len(fields) - FIELDS + 1, FIELDS)]
    errors = [r for r in reports if r.kind == b"ERR"]
    exits = [r for r in reports if r.kind == b"EXIT"]
    last = reports[-1] if reports else None
    if last is None or last.status != b"%d" % code:
        return None
    if errors and (not exits or (errors[-1].status == last.status and _followed(errors[-1], last))):
        return _say(*_at_error(errors[-1], text))
    return _say(*_at_exit(last, text)) if exits else None


def _followed(error: Report, end: Report) -> bool:
    """Whether the script ended with this error, and ran nothing in between."""
    return error.command == end.command or error.source != end.source


def _at_error(report: Report, text: bytes | None) -> tuple[bytes, bytes, bytes]:
    command = program(report.command)
    if report.pipe.split()[-1:] == [b"0"]:  # another part of the pipeline failed
        command = UNKNOWN
    first = command_word(report.command)
    in_main = not report.caller or report.called_at == b"0"
    exact = not in_main or text is None or first.partition(b"=")[0] in _line(text, report.line)
    return (report.line if exact else UNKNOWN), command, base_name(report.source)


def _at_exit(report: Report, text: bytes | None) -> tuple[bytes, bytes, bytes]:
    command = program(report.command)
    if report.called_at.isdigit() and report.called_at != b"0":
        line = report.called_at
        if report.function and report.caller and text is not None and report.source == report.caller:
            line = line if report.function in _line(text, line) else UNKNOWN
        return line, command, base_name(report.caller)
    if report.status == SYNTAX and command_word(report.command) not in (b"exit", b"return"):
        return UNKNOWN, UNKNOWN, UNKNOWN  # what could not be parsed is not what ran last
    if not report.source and text is None:
        return UNKNOWN, command, UNKNOWN
    return find(report.command, text or b""), command, base_name(report.source)


def find(command: bytes, text: bytes) -> bytes:
    """The one line of the script where this command stands; unknown if there are more, or none."""
    wanted = re.compile(BEFORE + re.escape(command) + rb"\s*(?=$|[;&|)}#])")
    found = [number for number, line in _code(text) if wanted.search(line)]
    mentioned = sum(line.count(command) for _, line in _code(text))
    return b"%d" % found[0] if len(found) == 1 and mentioned == 1 and b"\n" not in command else UNKNOWN


def _code(text: bytes) -> list[tuple[int, bytes]]:
    """The numbered lines that are neither a comment nor part of a here-document."""
    lines, until = [], None
    for number, line in enumerate(text.split(b"\n"), 1):
        if until is not None:
            until = None if line.strip() == until else until
        elif not line.lstrip().startswith(b"#"):
            lines.append((number, line))
            opens = HEREDOC.search(line)
            until = opens[1] if opens else None
    return lines


def program(command: bytes) -> bytes:
    """The base name of the program that a command runs, if it is plain."""
    while found := ASSIGNMENT.match(command):
        command = command[found.end() :]
    word = PROGRAM.match(command)
    name = word[0].rpartition(b"/")[2] if word else b""
    return name if PLAIN.fullmatch(name) and name not in NOT_PROGRAMS else UNKNOWN


def command_word(command: bytes) -> bytes:
    return (command.split(None, 1) or [b""])[0]


def base_name(path: bytes) -> bytes:
    name = os.path.basename(path)
    return name if name and name not in (b"main", b"environment") else UNKNOWN


def _line(text: bytes, number: bytes) -> bytes:
    lines = text.split(b"\n")
    at = int(number) - 1 if number.isdigit() else -1
    return lines[at] if 0 <= at < len(lines) else b""


def _say(line: bytes, command: bytes, script: bytes) -> str | None:
    if line == command == UNKNOWN:
        return None
    return f"failed {line.decode()} {command.decode()} {script.decode('utf-8', 'replace')}"
