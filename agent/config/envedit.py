"""Changing docker.env: our own lines alone; the rest of the file stays as it is, byte for byte."""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from io import StringIO
from typing import TYPE_CHECKING

from agent.base.files import file_stamp, replace_file
from agent.config.flags import QUOTES, is_flag

if TYPE_CHECKING:
    from collections.abc import Callable

BOM = "\ufeff"
TRIES = 20


class EditError(Exception):
    """A docker.env could not be changed; the text says why and what to do."""


class Overtaken(Exception):  # noqa: N818 - reads as what it says
    """Another process has changed the file since it was read."""


def set_value(path: str, name: str, value: str) -> None:
    """Make `name` stand in the file exactly once, with this value."""
    _edit(path, lambda text: with_value(text, name, value))


def remove_flags(path: str) -> None:
    """Take every flag out of the file."""
    _edit(path, without_flags)


def with_value(text: str, name: str, value: str) -> str:
    """The text with NAME=value in place of the first NAME, or as a last line."""
    parts, done = [], False
    for lead, body, key, _ in _bindings(text):
        if key != name:
            parts.append(lead + body)
            continue
        parts.append(lead if done else lead + _assigned(body, name, value))
        done = True
    if not done:
        parts.append(_last_line(text, f"{name}={value}"))
    return "".join(parts)


def without_flags(text: str) -> str:
    """The text without the lines that are flags."""
    after = "".join(
        lead if key is not None and is_flag(key.strip(QUOTES), value) else lead + body
        for lead, body, key, value in _bindings(text)
    )
    # A line that begins with a byte order mark may be a flag once it is the first.
    return after if after == text else without_flags(after)


def _bindings(text: str) -> list[tuple[str, str, str | None, str | None]]:
    """Each binding as (blank lines before it, its own text, key, value); a key of None is no binding."""
    from dotenv.parser import parse_stream

    found = []
    bindings = list(parse_stream(StringIO(text.removeprefix(BOM), newline="")))
    read = sum(len(binding.original.string) for binding in bindings)
    mark = text[: len(text) - read]  # the parser may leave out a further mark
    for binding in bindings:
        whole = binding.original.string
        lead = whole[: _blank_lines(whole)]
        body = whole[len(lead) :]
        key = None if binding.error or binding.key is None else binding.key
        found.append((mark + lead, body, key, binding.value))
        mark = ""
    return found or [(mark, "", None, None)]


def _blank_lines(text: str) -> int:
    """How many characters of the text are blank lines at its head."""
    blank = re.match(r"(?:[^\S\r\n]*(?:\r\n|\n|\r))*", text)
    return blank.end() if blank else 0


def _assigned(body: str, name: str, value: str) -> str:
    """The line with another value; `export`, spaces, a comment and the line's end stay."""
    old = r"""'(?:\\.|[^'])*'|"(?:\\.|[^"])*"|[^\r\n]*?"""
    shape = (
        rf"""(?P<head>[^\S\r\n]*(?:export[^\S\r\n]+)?['"]?{name}['"]?)(?:[^\S\r\n]*=[^\S\r\n]*(?:{old}))?"""
    )
    line = re.fullmatch(shape + r"(?P<tail>[^\S\r\n]*(?:(?<=\s)#[^\r\n]*)?(?:\r\n|\n|\r)?)", body, re.DOTALL)
    head, tail = (line["head"], line["tail"]) if line else (name, "\n")
    return f"{head}={value}{tail}"


def _last_line(text: str, line: str) -> str:
    """The line as it is to be added, with the file's own line ends."""
    ends = re.search(r"\r\n|\n|\r", text)
    end = ends[0] if ends else "\n"
    begun = bool(text.removeprefix(BOM)) and not text.endswith(("\n", "\r"))
    return (end if begun else "") + line + end


def _edit(path: str, change: Callable[[str], str]) -> None:
    """Read, change and write back at once; mode, owner and a symlink stay.

    If another process changes it meanwhile, it is done again, so that no refusal of theirs is undone.
    """
    target = os.path.realpath(path)
    for _ in range(TRIES):
        with suppress(Overtaken):
            _edit_target(target, change)
            return
    raise EditError(f"{target} could not be changed: other processes change it all the time; try again")


def _edit_target(target: str, change: Callable[[str], str]) -> None:
    stamp = file_stamp(target)

    def check() -> None:
        if file_stamp(target) != stamp:
            raise Overtaken

    try:
        with open(target, "rb") as file:
            found, before = os.fstat(file.fileno()), file.read()
    except FileNotFoundError:
        found, before = None, b""
    except OSError as why:
        raise EditError(_words(target, why)) from why
    after = change(before.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    try:
        if found is None:
            os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
        if after != before or found is None:
            _write(target, after, found, check)
    except OSError as why:
        raise EditError(_words(target, why)) from why


def _write(target: str, data: bytes, found: os.stat_result | None, check: Callable[[], None]) -> None:
    try:
        replace_file(target, data, like=found, check=check)
    except OSError as why:
        if why.errno != errno.EBUSY:
            raise
        _write_in_place(target, data)


def _write_in_place(target: str, data: bytes) -> None:
    """For a file that is a mount of its own, as containers have them: it cannot be replaced."""
    with open(target, "r+b") as file:
        file.write(data)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _words(path: str, why: OSError) -> str:
    hint = "; try it with sudo" if isinstance(why, PermissionError) else ""
    return f"{path} could not be changed: {why.strerror}{hint}"
