"""JSON as real clients send it, which is not always JSON.

msgspec reads what is right. Python's own parser reads the rest: NaN, lone surrogates, a byte order mark. To
find the events of such a request, its text is split without being understood, so that what is wrong in one
event is found with that event.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

import msgspec

from collector.base.http import Refused

T = TypeVar("T")

# Fields of an object that is split. Each takes a microsecond of Python, and a request has room for 100,000.
MOST_FIELDS = 1000
# Signs and texts that are looked at to find the end of a value too deep for Python's parser.
MOST_SIGNS = 50_000
MAX_DEPTH = 100  # our own limit; otherwise it would depend on the Python version
TOO_DEEP = "too_deep"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PAIRS = {"{": "}", "[": "]"}
# A text that never ends is one, too: else its end would be looked for again from each quote within it.
_signs = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL).finditer
_space = re.compile(r"[ \t\n\r]*").match


def _nothing(_: object) -> None:
    """No value is of use where only its end is looked for."""


# It keeps no objects, and accepts control characters, so that an event with one is refused alone.
_skip = json.JSONDecoder(
    object_pairs_hook=_nothing, parse_int=_nothing, parse_float=_nothing, strict=False
).raw_decode


def read_json(decode: Callable[[bytes | msgspec.Raw], T], text: bytes | msgspec.Raw) -> T:
    """The text decoded; what is not quite JSON is mended first. Refused if it cannot be."""
    with contextlib.suppress(ValueError, RecursionError):
        return decode(text)
    try:
        return decode(_mended(bytes(text)))
    except RecursionError:
        raise too_deep() from None
    except ValueError:
        raise unreadable() from None


def split_object(text: bytes) -> dict[str, msgspec.Raw]:
    """The fields of an object, each as its bytes. Refused if the text is no object, or has too many."""
    found = _split(text.removeprefix(BYTE_ORDER_MARK), "{", MOST_FIELDS)
    if len(found) > MOST_FIELDS:
        raise unreadable()
    return dict(found)


def split_array(text: bytes, most: int) -> list[msgspec.Raw]:
    """The items of an array, each as its bytes. Refused if the text is no array.

    Of more than `most` items there is only one more, and the rest of the text is not looked at.
    """
    return [item for _, item in _split(text, "[", most)]


def too_deep() -> Refused:
    return Refused(400, TOO_DEEP, f"an event may have at most {MAX_DEPTH} levels of nesting")


def unreadable() -> Refused:
    return Refused(400, "bad_json", "this is not JSON, or has the wrong structure")


def _split(text: bytes, opening: str, most: int) -> list[tuple[str, msgspec.Raw]]:
    try:
        # One character a byte, so that places in the text are places in the bytes.
        spans = list(islice(_spans(text.decode("latin-1"), opening), most + 1))
    except (ValueError, RecursionError):
        raise unreadable() from None
    return [(name, msgspec.Raw(text[begin:end])) for name, begin, end in spans]


def _spans(text: str, opening: str) -> Iterator[tuple[str, int, int]]:
    """Name, begin and end of every value of an object or array; in an array the names are empty."""
    at, name = _expect(text, 0, opening), ""
    if text.startswith(_PAIRS[opening], at):
        _expect_end(text, at + 1)
        return
    while True:
        if opening == "{":
            name, at = _skip(text, at)
            if not isinstance(name, str):
                raise ValueError
            at = _expect(text, at, ":")
        end = _end_of(text, at)
        yield name, at, end
        at = _after_space(text, end)
        if text.startswith(_PAIRS[opening], at):
            _expect_end(text, at + 1)
            return
        at = _expect(text, at, ",")


def _end_of(text: str, at: int) -> int:
    """The end of the value that begins here."""
    with contextlib.suppress(RecursionError):
        end: int = _skip(text, at)[1]
        return end
    depth = 0
    for sign in islice(_signs(text, at), MOST_SIGNS):
        depth += (sign[0] in "[{") - (sign[0] in "]}")
        if not depth:
            return sign.end()
    raise ValueError


def _expect(text: str, at: int, sign: str) -> int:
    """The place after this sign and the spaces around it; ValueError if it is not there."""
    at = _after_space(text, at)
    if not text.startswith(sign, at):
        raise ValueError
    return _after_space(text, at + 1)


def _expect_end(text: str, at: int) -> None:
    if _after_space(text, at) != len(text):
        raise ValueError


def _after_space(text: str, at: int) -> int:
    found = _space(text, at)
    return found.end() if found else at


def _mended(text: bytes) -> bytes:
    """Valid JSON: without NaN, lone surrogates and a byte order mark."""
    spoken = json.loads(text.decode("utf-8-sig"), parse_constant=_nothing, parse_float=_finite)
    return json.dumps(spoken, ensure_ascii=False).encode("utf-8", "replace")


def _finite(text: str) -> float | None:
    number = float(text)
    return number if abs(number) != float("inf") else None
