"""What an install's event says of its end or of its request, as one text that sorts as `RunRow` compares.

Of two events that tell the same of a run, the one with the later time holds, and of two at once the greater.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from collector.base.events import BEAT, ERRORS, STARTED, SUCCESS, SUPPORT, Event
from collector.store.rows import RunRow

Field = str | int | None

# A field that is missing comes before one that is there. Texts of facts have no NUL, which ends a field.
_MISSING, _THERE, _END = "\x01", "\x02", "\0"
_NUMBERS = (1, 3, 6)  # of the fields of an end: duration, exit code and line


def told_by(event: Event) -> tuple[str, str]:
    """The place of the failure, and what is told in one text; both empty where nothing is."""
    fact = event.fact
    if fact is None or event.run is None or event.name in (BEAT, STARTED):
        return "", ""
    if event.name == SUPPORT:
        return "", _pack((fact.email, fact.reference))
    run = RunRow(event.source, event.run, event.who or b"")
    run.saw(event, fact)
    ending = (run.duration, run.reason, run.exit_code, run.signal, run.script, run.line, run.command)
    outcome = "success" if event.name == SUCCESS else "errors"
    return (run.failed_at if event.name == ERRORS else ""), _pack((outcome, *ending))


def read_end(told: str) -> list[Any]:
    """Outcome, duration, reason, exit code, signal, script, line and command."""
    fields: list[Any] = [*_unpack(told, 8)]
    for number in _NUMBERS:
        fields[number] = None if fields[number] is None else int(fields[number])
    return fields


def read_request(told: str) -> list[str | None]:
    """E-mail address and reference."""
    return _unpack(told, 2)


def without_email(told: str) -> str:
    """The text of a request without its address."""
    return _pack((None, read_request(told)[1])) if told else ""


def _pack(fields: Sequence[Field]) -> str:
    return "".join(_MISSING if field is None else f"{_THERE}{field}{_END}" for field in fields)


def _unpack(told: str, size: int) -> list[str | None]:
    fields: list[str | None] = []
    rest = told
    while rest:
        if rest.startswith(_MISSING):
            fields.append(None)
            rest = rest[1:]
        else:
            field, _, rest = rest[1:].partition(_END)
            fields.append(field)
    return fields or [None] * size
