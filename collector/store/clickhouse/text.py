"""Values in ClickHouse's SQL, and in its tab-separated rows. Both take ids as bytes, and any text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

Row = tuple[Any, ...]

ID_BYTES = 16
NULL = "\\N"

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0", "'": "\\'"}
_TO_ESCAPE = re.compile("[\\\\\t\n\r\0']")
_UNESCAPES = {b"b": b"\b", b"f": b"\f", b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0"}
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


class NotStorableError(ValueError):
    """A value that no column takes."""


def literal(value: object) -> str:
    """A value as SQL; a list or tuple in parentheses."""
    if isinstance(value, bytes):
        return f"'{_hex(value.ljust(ID_BYTES, bytes(1)))}'"
    if isinstance(value, str):
        # A statement may be filled twice, so no `?` stands in a literal.
        return "'{}'".format(_escape(value).replace("?", "\\x3f"))
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, Sequence):
        return f"({', '.join(map(literal, value))})"
    raise NotStorableError(type(value).__name__)


def filled(sql: str, values: Iterable[object]) -> str:
    """SQL with a literal for each `?`."""
    pieces = sql.split("?")
    texts = [*map(literal, values)]
    if len(texts) != len(pieces) - 1:
        raise NotStorableError(f"{len(texts)} values for {len(pieces) - 1} places")
    return "".join(piece + text for piece, text in zip(pieces, [*texts, ""], strict=True))


def write_rows(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as TabSeparated; NotStorableError for a value that is no text, number, bytes, list or None."""
    lines = ("\t".join(map(_cell, row)) + "\n" for row in rows)
    return "".join(lines).encode("utf-8", "surrogatepass")


def read_rows(answer: bytes) -> list[Row]:
    """The rows of an answer in the format TabSeparatedWithNamesAndTypes."""
    lines = answer.split(b"\n")[:-1]
    if not lines:
        return []
    readers = [_reader(kind.decode()) for kind in lines[1].split(b"\t")]
    return [
        tuple(read(cell) for read, cell in zip(readers, line.split(b"\t"), strict=True)) for line in lines[2:]
    ]


def _cell(value: object) -> str:
    if value is None:
        return NULL
    if isinstance(value, str):
        return _escape(value)
    if isinstance(value, bytes):
        return _hex(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, list):
        return f"[{','.join(map(str, value))}]"
    raise NotStorableError(type(value).__name__)


def _escape(text: str) -> str:
    return _TO_ESCAPE.sub(lambda found: _ESCAPES[found[0]], text)


def _hex(value: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in value)


def _reader(kind: str) -> Callable[[bytes], Any]:
    inner = kind.removeprefix("Nullable(")
    if inner.startswith("FixedString"):
        read: Callable[[bytes], Any] = _unescape
    elif inner.startswith("String"):
        read = _text
    elif inner.startswith("Array"):
        read = _numbers
    else:
        read = int
    return read if inner is kind else lambda cell: None if cell == NULL.encode() else read(cell)


def _unescape(cell: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: _UNESCAPES.get(found[1], found[1]), cell) if b"\\" in cell else cell


def _text(cell: bytes) -> str:
    return _unescape(cell).decode("utf-8", "surrogatepass")


def _numbers(cell: bytes) -> list[int]:
    return [int(number) for number in cell[1:-1].split(b",") if number]
