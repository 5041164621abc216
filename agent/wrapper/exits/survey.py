"""What the whole text of a shell script says: its functions, its variables, its options and its codes."""

from __future__ import annotations

import os.path

from agent.wrapper.exits.grammar import read
from agent.wrapper.exits.phrases import (
    ANY,
    BECOMING,
    OWN,
    code_of,
    leaves,
    name_of,
    pieces,
    sets,
    sets_errexit,
)
from agent.wrapper.exits.shells import SHELLS
from agent.wrapper.exits.syntax import Function, Sequence, Simple, commands
from agent.wrapper.exits.words import CannotRead

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.exits.syntax import Command

SYSTEM = ("/etc/", "/lib/", "/usr/")
MAX_SOURCED = 1 << 18


class Survey:
    """A script seen as a whole. CannotRead where it does what the text does not tell."""

    def __init__(self, script: Sequence, options: bytes) -> None:
        self.functions: dict[str, list[Command]] = {}
        self.mentioned: set[str] = set()
        """Words, and pieces of words, that may come to be a program's name."""
        self.passed: set[str] = set()
        """Words that may come to be a function's name."""
        self.values: dict[str, list[str]] = {}
        """What it assigns to each variable."""
        self.set_words: set[str] = set()
        """What it may make its own arguments."""
        self.codes: set[int] = set()
        """The codes of every `exit` and `return`."""
        self.replaced = False
        """Whether another script may take this one's place."""
        self.errexit_varies = False
        self.nounset = b"u" in options
        self._top = script
        self._files: dict[str | None, Sequence | None] = {None: None}
        self._note_all(script)
        values = [value for each in self.values.values() for value in each]
        self.mentioned.update(piece for value in values for piece in pieces(value))

    def _note_all(self, script: Sequence) -> None:
        for command in commands(script):
            if isinstance(command, Function):
                self.functions.setdefault(command.name, []).append(command.body)
            elif isinstance(command, Simple):
                self._note(command)
                self._note_values(command)
        for sequence in (script, *(inner for command in commands(script) for inner in command.inner())):
            self._note_errexit(sequence)

    def _note_errexit(self, sequence: Sequence) -> None:
        """Whether errexit can be followed: set at the script's top, or put back where it was unset."""
        changes: list[bool] = []
        for chain in sequence.chains:
            simple = [command for _, part in chain.parts for command in part.commands]
            change = sets_errexit(simple[0]) if len(simple) == 1 else None
            if change is not None:
                changes.append(change)
            elif any(sets_errexit(command) is not None for command in simple):
                self.errexit_varies = True
            elif changes[-1:] == [False] and any(leaves(each, {}) for each in commands(Sequence([chain]))):
                self.errexit_varies |= sequence is not self._top
        if sequence is not self._top and changes and (changes[0] or not changes[-1]):
            self.errexit_varies = True

    def _note_values(self, command: Simple) -> None:
        for word in (
            *command.assigned,
            *(command.words if command.name in ("export", "readonly", "local") else ()),
        ):
            name, _, value = word.raw.partition("=")
            self.values.setdefault(name, []).append(value)
        self.passed.update(word.text for word in command.words[1:] if word.text)
        self.passed.update(word.text.partition("=")[2] for word in command.assigned if word.text)
        self.mentioned.update(piece for word in command.words[1:] for piece in pieces(word.raw))

    def _note(self, command: Simple) -> None:
        if command.name == "exec" and len(command.words) > 1:
            self.replaced |= name_of(command.words[1]) in (
                None,
                *BECOMING,
                *(shell.decode() for shell in SHELLS),
            )
        if command.name == "set":
            self.set_words.update(piece for word in command.words for piece in pieces(word.raw))
        self.nounset |= sets(command, "u", "nounset") is True
        if command.name in ("exit", "return"):
            self.codes.add(code_of(command, ANY))
        if command.name in ("source", "."):
            sourced = self.sourced(command)
            if sourced is None:
                raise CannotRead("a file that is not known")
            self._note_all(sourced)
        values = [(word.text or "").partition("=")[2] for word in command.words[1:]]
        if command.name == "alias" and not OWN.issuperset(values):
            raise CannotRead("an alias")

    def sourced(self, command: Simple) -> Sequence | None:
        """What `.` reads; None where that is unknown. A system file that is not there holds nothing."""
        path = command.words[1].text if len(command.words) > 1 else None
        if path not in self._files:
            self._files[path] = _file(path)
        return self._files[path]


def _file(path: str | None) -> Sequence | None:
    if path and "/" in path and os.path.isfile(path):
        with open(path, encoding="latin-1") as file:
            return read(file.read(MAX_SOURCED))
    return Sequence([]) if path and path.startswith(SYSTEM) and not os.path.lexists(path) else None
