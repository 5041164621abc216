"""What the texts of a shell script say as a whole: its own, and those of the files that it reads."""

from __future__ import annotations

import os.path
import re

from agent.wrapper.exits.words import pieces, sets, variable
from agent.wrapper.shell.reader import read
from agent.wrapper.shell.script import read_text
from agent.wrapper.shell.syntax import Function, Word, values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.wrapper.process.caller import Environment
    from agent.wrapper.shell.syntax import Command, Node, Script

SYSTEM = (b"/etc/", b"/lib/", b"/usr/")
"""Where files hold settings of the system; one that is not there holds nothing."""


class Texts:
    """Grows while files are read."""

    def __init__(self, script: Script, environment: Environment, *, nounset: bool) -> None:
        self.functions: dict[bytes, list[Node]] = {}
        """Every body that a function of this name may have."""
        self.codes: set[bytes] = set()
        """Variables that hold codes: the script ends with them."""
        self.names: set[bytes] = set()
        """What may be a program's name."""
        self._environment = environment
        self._nounset = nounset
        self._commands: list[Command] = []
        self._values: dict[bytes, list[bytes] | None] = {}
        self._passed: set[bytes] = set()
        self._sourced: dict[bytes, Script | None] = {}
        self._note(script)

    def _note(self, script: Script) -> None:
        for node in script.nodes():
            if isinstance(node, Function) and node.body:
                self.functions.setdefault(node.name, []).append(node.body)
        self._commands += script.commands
        self._values.clear()
        for command in script.commands:
            self._nounset |= sets(command, b"u", b"nounset")
            if command.name() in (b"exit", b"return"):
                self.codes |= {variable(word.raw) for word in command.arguments()}
            self.names.update(piece for word in command.words for piece in pieces(word.raw))
            for at, word in enumerate(command.words):
                if word.value and at != command.first:
                    self._passed |= {word.value, word.value.partition(b"=")[2]}

    def _values_of(self, name: bytes) -> list[bytes] | None:
        if name not in self._values:
            self._values[name] = values_of(self._commands, name)
        return self._values[name]

    def passed_functions(self) -> set[bytes]:
        """Those whose name the text passes on, so that it may come to be a command."""
        return self._passed & self.functions.keys()

    def expanded(self, word: Word, arguments: tuple[Word, ...] | None) -> list[list[Word]] | None:
        """What a word may become, as lists of words; None where it may become anything."""
        name = variable(word.raw)
        if name in (b"@", b"*") or name.isdigit():
            given = self.given([word], arguments)
            return None if given is None or any(each.raw == word.raw for each in given) else [list(given)]
        if not name:
            return None
        values = self._values_of(name)
        texts = {b"", self._environment.get(name) or b"", *(values or ())}
        if not values or any(set(text) & set(b"$`\"'\\") for text in texts):
            return None
        return [[Word(part, part, word.line, []) for part in text.split()] for text in sorted(texts)]

    def given(self, words: Iterable[Word], arguments: tuple[Word, ...] | None) -> tuple[Word, ...] | None:
        """These words with the function's own arguments in place; None where those are not known.

        $0 is none of them.
        """
        found: list[Word] = []
        for word in words:
            name = variable(word.raw)
            if name not in (b"@", b"*") and not (name.isdigit() and int(name)):
                found.append(word)
            elif arguments is None:
                return None
            else:
                found += arguments if name in (b"@", b"*") else arguments[int(name) - 1 :][:1]
        return tuple(found)

    def may_be_unset(self, raw: bytes) -> bool:
        """Whether an unset variable in a word may end the script."""
        return b"$" in raw and (self._nounset or re.search(rb"\$\{\w+:?\?", raw) is not None)

    def sourced(self, path: bytes | None) -> Script | None:
        """What `.` reads; None where that is unknown."""
        if path is None or b"/" not in path:
            return None
        if path not in self._sourced:
            text = read_text(path)
            missing = path.startswith(SYSTEM) and not os.path.lexists(path)
            script = read(text or b"") if text is not None or missing else None
            self._sourced[path] = script if script and not script.odd else None
            if self._sourced[path] and script:
                self._note(script)
        return self._sourced[path]
