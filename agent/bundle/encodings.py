"""How a value may be written in a log: the forms to replace, and views of a text in which it would show."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
import shlex
import string
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, quote_plus, unquote

if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST_LINE = 8
"""A line of a value with several lines is a form of its own if it has as many characters."""
BASE64_SIGNS = string.ascii_letters + string.digits + "+/_-"


class Forms(NamedTuple):
    """How a value may be written, plain or escaped, and what any base64 of it contains; the longest first."""

    plain: list[str]
    base64: list[str]


def forms_of(value: str) -> Forms:
    """All forms of a value. To make them takes long, so make them once and look for them in every text."""
    plain, cores = (
        sorted(found, key=len, reverse=True) for found in (_plain_forms(value), _base64_cores(value))
    )
    return Forms(plain, cores)


def _plain_forms(value: str) -> set[str]:
    """The value itself and as URLs, JSON, shells, HTML and hexadecimal digits write it."""
    lines = [line.strip() for line in value.splitlines() if len(line.strip()) >= SHORTEST_LINE]
    found = {form for text in {value, value.strip(), *lines} if text for form in _escaped(text)}
    return {form for form in found if form}


def _escaped(text: str) -> set[str]:
    data = text.encode("utf-8", "surrogateescape")
    quoted = {quote(data, safe=""), quote(data), quote(data, safe="!*'()~"), quote_plus(data)}
    lower = {re.sub(r"%[0-9A-F]{2}", lambda code: code[0].lower(), form) for form in quoted}
    in_json = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    in_shell = {shlex.quote(text), shlex.quote(text)[1:-1], re.sub(r"([^\w@%+=:,./-])", r"\\\1", text)}
    in_shell.add(text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n"))
    in_shell.add(re.sub(r'([\\"$`])', r"\\\1", text))
    twice = {json.dumps(form)[1:-1] for form in in_json} | {form.replace("/", r"\/") for form in in_json}
    in_html = {html.escape(text), html.escape(text, quote=False)}
    shown = in_shell if len(text) > 1 else set()
    forms = {text, *in_html, data.hex(), data.hex().upper(), *quoted, *lower, *in_json, *shown, *twice}
    return {form for form in forms if len(form) >= len(text)}


def _base64_cores(value: str) -> set[str]:
    """What base64 of any text with the value in it has in it, whatever stands before and after the value.

    A value starts in one of three places of a group of four characters. The characters at its ends depend on
    its neighbours too, so they are left out.
    """
    cores = set()
    for text in {value, value.strip()}:
        data = text.encode("utf-8", "surrogateescape")
        for before in range(3):
            coded = base64.b64encode(b"\0" * before + data).decode()
            core = coded[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
            cores |= {core, core.replace("+", "-").replace("/", "_")}
    return {core for core in cores if core}


_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text

    def character(found: re.Match[str]) -> str:
        code = found[1]
        return chr(int(code[1:], 16)) if len(code) > 1 else _SHORT.get(code, code)

    return _ESCAPE.sub(character, text)


def _unquoted(text: str) -> str:
    """Without quotes and backslashes: a shell joins quoted parts to one word."""
    return text.translate({ord(sign): None for sign in "'\"\\"})


def _joined(text: str) -> str:
    """Without line breaks, as base64 and long values are wrapped."""
    return re.sub(r"[\r\n]+[ \t]*", "", text)


_RUN = re.compile(rf"[{re.escape(BASE64_SIGNS)}]{{8,}}")
_HEX = re.compile(r"[0-9a-fA-F]{8,}")


def _base64_read(text: str) -> str:
    """Every run of base64, read; a line for each."""
    shown = []
    for run in _RUN.findall(text.replace("-", "+").replace("_", "/")):
        whole = run[:-1] if len(run) % 4 == 1 else run
        shown.append(binascii.a2b_base64(whole + "=="))
    return b"\n".join(shown).decode("utf-8", "replace")


def _hex_read(text: str) -> str:
    pairs = (run[: len(run) // 2 * 2] for run in _HEX.findall(text))
    return b"\n".join(map(bytes.fromhex, pairs)).decode("utf-8", "replace")


VIEWS: dict[str, Callable[[str], str]] = {
    "plain text": str,
    "a URL": unquote,
    "JSON": _unescaped,
    "shell quoting": _unquoted,
    "wrapped lines": _joined,
    "base64": _base64_read,
    "hexadecimal digits": _hex_read,
}
"""Another way to look at a text. Each decodes; none knows how the forms above are made."""

SAME_FOR_VALUES = {"shell quoting": _unquoted, "wrapped lines": _joined}
"""Views that change a value too."""
