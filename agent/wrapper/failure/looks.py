"""A text of a script, looked at for what it does: each command, those in traps and evals too."""

from __future__ import annotations

from agent.wrapper.shell import reader
from agent.wrapper.shell.syntax import NAME, Word, values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agent.wrapper.shell.syntax import Command, Script

MAX_LEVEL = 3
"""Of traps and evals within each other."""

TAKING = (b"eval", b".", b"source")
"""What takes other text into the script."""


class Look:
    """A text that is looked at, and every command in it, those in traps and evals too."""

    def __init__(self, source: bytes, text: bytes) -> None:
        self.source = source
        self.text = text
        self.script = reader.read(text)
        self.commands: list[Command] = []
        self._words: list[list[Word]] = []
        self._values: dict[bytes, list[bytes] | None] = {}
        self._note(_all(self.script, 0))
        self._note(self._held_by_evals())
        self.unknown: list[Command] = []
        """The commands that source what is not known."""

    def _note(self, commands: Iterable[Command]) -> None:
        for command in commands:
            self.commands.append(command)
            self._words.append(run(command))
        self._values.clear()

    def runs(self, *names: bytes) -> Iterator[tuple[Command, list[Word]]]:
        """Every command that runs one of these, and the words after the name."""
        for command, words in zip(self.commands, self._words):
            if words and words[0].value in names:
                yield command, words[1:]

    def given(self, *names: bytes) -> Iterator[tuple[int, list[bytes]]]:
        """The same as a line and texts; of a computed word, a NUL."""
        for command, words in self.runs(*names):
            yield command.line, [b"\0" if word.value is None else word.value for word in words]

    def names(self, *names: bytes) -> list[int]:
        """The first line that expands or sets each of these variables."""
        return [self.script.variables[name] for name in names if name in self.script.variables]

    def speaks(self, *texts: bytes) -> list[int]:
        """The lines of the commands that have one of these in a word."""
        if not any(text in self.text for text in texts):
            return []
        said = [(each.line, word.raw) for each in self.commands for word in each.words]
        return [line for line, raw in said if any(text in raw for text in texts)]

    def values_of(self, name: bytes) -> list[bytes] | None:
        """All that the text assigns to a variable; None if it may get another value, or one of a command."""
        if name not in self._values:
            self._values[name] = values_of(self.commands, name) if name else None
        return self._values[name]

    def _held_by_evals(self) -> list[Command]:
        """The commands in the variables with which evals begin, where the text gives them their values.

        They stand where the eval stands. What takes no further text tells the same at each: once is enough.
        """
        found: list[Command] = []
        known: set[tuple[bytes, bool, bool]] = set()
        for command, words in self.runs(b"eval"):
            for word in words:
                name = begins_with(word.raw)
                if (kind := (name, command.apart, command.inner)) not in known:
                    held = list(_placed(self._held(name), command))
                    if not any(run(each) and run(each)[0].value in TAKING for each in held):
                        known.add(kind)
                    found += held
        return found

    def _held(self, name: bytes) -> Iterator[Command]:
        for value in dict.fromkeys(self.values_of(name) or ()):
            yield from reader.read(Word(value, None, 0, []).opened()).commands


def begins_with(raw: bytes) -> bytes:
    """The variable that a word begins with, if it begins with one."""
    raw = raw.lstrip(b'"')
    if raw.startswith(b"${"):
        name, brace, _ = raw[2:].partition(b"}")
        return name if brace and set(name) <= NAME else b""
    end = 1
    while raw.startswith(b"$") and end < len(raw) and raw[end] in NAME:
        end += 1
    return raw[1:end] if raw.startswith(b"$") else b""


def _all(script: Script, level: int) -> Iterable[Command]:
    for command in script.commands:
        yield command
        if level > MAX_LEVEL or (inner := _inner(command)) is None:
            continue
        deeper = reader.read(inner)
        script.variables.update(
            {name: command.line for name in deeper.variables if name not in script.variables}
        )
        yield from _placed(_all(deeper, level + 1), command)


def _placed(commands: Iterable[Command], holder: Command) -> Iterable[Command]:
    """Commands in a word of another: they stand where that stands."""
    for command in commands:
        command.line = command.end = holder.line
        command.apart |= holder.apart
        command.inner |= holder.inner
        yield command


def _inner(command: Command) -> bytes | None:
    """The text that a trap or an eval is given, if it is literal but for variables."""
    arguments = run(command)
    if arguments and arguments[0].value == b"eval":
        words = arguments[1:]
        return b" ".join(word.opened() for word in words)
    if arguments and arguments[0].value == b"trap":
        words = [word for word in arguments[1:] if word.value != b"--"]
        return words[0].opened() if len(words) > 1 and words[0].value not in (b"-", b"") else None
    return None


def run(command: Command) -> list[Word]:
    """The words of a command from the one that is run, without `command` and `builtin` before it."""
    words = command.words[command.first :]
    while words and words[0].value in (b"command", b"builtin"):
        rest = words[1:]
        while rest and rest[0].value in (b"-p", b"--"):
            rest = rest[1:]
        if not rest or (rest[0].value or b"").startswith(b"-"):
            break
        words = rest
    return words
