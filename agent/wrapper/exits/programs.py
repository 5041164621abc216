"""Which program a word of a script may run, by the name that the kernel knows of it."""

from __future__ import annotations

import os

from agent.wrapper.exits.words import BECOMING, base
from agent.wrapper.process.command import places
from agent.wrapper.shell.script import SHELLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.process.caller import Environment
    from agent.wrapper.shell.syntax import Word

NAME_LENGTH = 15
"""The kernel keeps no more of a program's name."""

MAX_BEGINNING = 1 << 16
"""So much of a program is searched for another that it may become."""


class Programs:
    """The programs that CMD finds."""

    def __init__(self, environment: Environment, *, moves: bool) -> None:
        self._environment = environment
        self._moves = moves
        """Whether the script looks for programs elsewhere."""
        self._starts: dict[bytes, bytes | None] = {}

    def may_run(self, word: Word, name: bytes) -> bool:
        """Whether a child of this name may be what the word ran."""
        if word.value is None:
            return True
        program = base(word.value)
        return (
            program[:NAME_LENGTH] == name or program in BECOMING | SHELLS or self._becomes(word.value, name)
        )

    def is_there(self, word: Word) -> bool:
        """Whether the shell surely finds the program."""
        found = places(word.value or b"", self._environment)
        return not self._moves and any(os.access(place, os.X_OK) for place in found)

    def may_be_shell(self, word: Word) -> bool:
        """Whether the word may run a shell, or a script of one."""
        return any(self.may_run(word, shell) for shell in SHELLS)

    def _becomes(self, path: bytes, name: bytes) -> bool:
        """Whether a program is a script that ends as another one, as `#!/usr/bin/env python3` does."""
        if path not in self._starts:
            self._starts[path] = self._start(path)
        start = self._starts[path]
        if start is None:
            return b"/" in path and b" " not in path  # else a text that a function was to run
        return name in start if start.startswith(b"#!") else name in SHELLS and b"\0" not in start

    def _start(self, path: bytes) -> bytes | None:
        """How a program begins; None where it is not there."""
        for place in places(path, self._environment):
            try:
                with open(place, "rb") as file:
                    return file.read(MAX_BEGINNING)
            except OSError:
                continue
        return None
