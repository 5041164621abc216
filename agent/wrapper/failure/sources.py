"""The texts that a script consists of: its own, and those of the files that it sources by a known name."""

from __future__ import annotations

import os

from agent.wrapper.failure.looks import Look, begins_with
from agent.wrapper.shell.script import MAX_TEXT, read_text
from agent.wrapper.shell.syntax import assigned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.wrapper.process.caller import Environment
    from agent.wrapper.shell.syntax import Word

MAX_FILES = 64
SYSTEM = b"/etc/"
"""Where files hold settings of the system; one that is not there now does not come while the script runs."""

HERE = frozenset((b"$(dirname$0)", b"${0%/*}", b"$(dirname$(readlink-f$0))", b"$(dirname$(realpath$0))"))
"""The ways to say: the folder that this file is in. Without quotes and blanks, and $0 for BASH_SOURCE."""


def looks(script: bytes, text: bytes, environment: Environment) -> list[Look]:
    """The script's text and those of what it sources. Where one is not known, its look says so."""
    found = [Look(script, text)]
    seen = {os.path.realpath(script)}
    total = len(text)
    for look in found:  # grows as files are found
        for command, words in look.runs(b".", b"source"):
            if not words:
                continue
            paths = _paths(words[0], look, os.path.dirname(script), environment)
            texts = [(path, read_text(path)) for path in paths or ()]
            there = [(path, each) for path, each in texts if each is not None]
            total += sum(len(each) for _, each in there)
            if (
                (not there and not (paths and paths[0].startswith(SYSTEM)))
                or len(found) > MAX_FILES
                or total > MAX_TEXT
            ):
                look.unknown.append(command)
            for path, each in there:
                if os.path.realpath(path) not in seen and len(found) <= MAX_FILES:
                    seen.add(os.path.realpath(path))
                    found.append(Look(path, each))
    return found


def _paths(word: Word, look: Look, folder: bytes, environment: Environment) -> list[bytes] | None:
    """The files that a sourced name may stand for; None if it is computed."""
    if word.value is not None:
        path = word.value
        if path.startswith(b"/"):
            return [path]
        return [path, os.path.join(folder, path)]
    raw = _plainly(word.raw)
    here = next((start for start in HERE if raw.startswith(start + b"/")), b"")
    name = begins_with(raw)
    rest = raw[len(here) :] if here else raw.lstrip(b"${").removeprefix(name).removeprefix(b"}")
    if not (here or name) or not rest.startswith(b"/") or set(rest) & set(b"$`*?[{~\\'"):
        return None
    values = list(_values(name, look))
    if not values and name == b"HOME" and (home := environment.get(b"HOME")):
        return [home + rest]
    if here or (len(values) == 1 and _is_here(values[0])):
        return [os.path.join(os.path.dirname(look.source) or b".", rest[1:])]
    return None


def _plainly(raw: bytes) -> bytes:
    """Without quotes and blanks, and with $0 for BASH_SOURCE."""
    for old, new in (
        *((b'"', b""), (b" ", b""), (b"\t", b""), (b"dirname--", b"dirname")),
        *((b"{BASH_SOURCE[0]", b"{0"), (b"{BASH_SOURCE", b"{0"), (b"${0}", b"$0"), (b"$BASH_SOURCE", b"$0")),
    ):
        raw = raw.replace(old, new)
    return raw


def _values(name: bytes, look: Look) -> Iterator[bytes]:
    """Every value that the text gives a variable, written plainly."""
    for command in look.commands:
        for word in command.words:
            if assigned(word.raw) == name:
                yield _plainly(word.raw.partition(b"=")[2])


def _is_here(value: bytes) -> bool:
    if value in HERE:
        return True
    inside = value.removeprefix(b"$(cd").removeprefix(b"--").removesuffix(b")")
    inside = inside.removesuffix(b"-P").removesuffix(b"pwd").removesuffix(b"&&").removesuffix(b";")
    for quiet in (b">/dev/null2>&1", b"&>/dev/null", b"2>/dev/null", b">/dev/null"):
        inside = inside.removesuffix(quiet)
    return value.startswith(b"$(cd") and inside in HERE
