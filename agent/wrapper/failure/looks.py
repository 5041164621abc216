"""A text of a script, looked at for what it does: each command, those in traps and evals too."""

from __future__ import annotations

from agent.wrapper.failure import lexer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.wrapper.failure.syntax import Command, Script, Word


MAX_LEVEL = 3
"""Of traps and evals within each other."""


class Look:
    """A text that is looked at, and every command in it, those in traps and evals too."""

    def __init__(self, source: bytes, text: bytes) -> None:
        self.source = source
        self.text = text
        self.script = lexer.read(text)
        self.commands = list(_all(self.script, 0))
        self.unknown: list[Command] = []
        """The commands that source what is not known."""

    def in_subshell(self, command: Command) -> bool:
        """Whether it stands in ( … ), or in a part of a pipeline."""
        at = next((at for at, each in enumerate(self.script.commands) if each is command), -1)
        piped = {b"|", b"|&"} & {each.after for each in self.script.commands[at : at + 2]}
        return bool(piped) or any(first <= command.line <= last for first, last in self.script.subshells)

    def first(self, holds: Callable[[Command], bool]) -> int | None:
        return min((command.line for command in self.commands if holds(command)), default=None)

    def names(self, *names: bytes) -> int | None:
        """The first line that expands or sets one of these variables."""
        lines = [self.script.variables[name] for name in names if name in self.script.variables]
        return min(lines, default=None)

    def speaks(self, *words: bytes) -> int | None:
        """The first line of a command that has one of these in a word of it."""
        if not any(word in self.text for word in words):
            return None
        return self.first(lambda command: any(word in each.raw for each in command.words for word in words))


def _all(script: Script, level: int) -> Iterable[Command]:
    for command in script.commands:
        yield command
        if level > MAX_LEVEL or (inner := _inner(command)) is None:
            continue
        deeper = lexer.read(inner, command.line)
        script.variables.update(
            {name: command.line for name in deeper.variables if name not in script.variables}
        )
        for each in _all(deeper, level + 1):
            each.line = each.end = command.line
            yield each


def _inner(command: Command) -> bytes | None:
    """The text that a trap or an eval is given, if it is literal but for variables."""
    arguments = run(command)
    if arguments and arguments[0].value == b"eval":
        words = arguments[1:]
        return b" ".join(_opened(word) for word in words)
    if arguments and arguments[0].value == b"trap":
        words = [word for word in arguments[1:] if word.value != b"--"]
        return _opened(words[0]) if len(words) > 1 and words[0].value not in (b"-", b"") else None
    return None


def _opened(word: Word) -> bytes:
    if word.value is not None:
        return word.value
    raw = word.raw
    return raw[1:-1].replace(b"\\$", b"$").replace(b'\\"', b'"') if raw[:1] == raw[-1:] == b'"' else raw


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


def values(command: Command) -> list[bytes]:
    """The same as text; of a computed word, a NUL."""
    return [b"\0" if word.value is None else word.value for word in run(command)]
