"""What a bash script's text consists of: words, commands, functions, and which variables it names."""

from __future__ import annotations


class Word:
    """One word: as it is written, and its value where nothing in it is expanded (else None)."""

    __slots__ = ("line", "raw", "value")

    def __init__(self, raw: bytes, value: bytes | None, line: int) -> None:
        self.raw = raw
        self.value = value
        self.line = line


class Command:
    """A simple command, `[[ … ]]`, `((…))`, or the head of a `for`, `case` or `select`."""

    __slots__ = (
        "after",
        "background",
        "block",
        "end",
        "first",
        "function",
        "inner",
        "line",
        "redirections",
        "words",
    )

    def __init__(
        self, line: int, after: bytes, function: Function | None, block: int, *, inner: bool
    ) -> None:
        self.line = self.end = line
        self.background = False
        """Whether it, or what it is the last part of, goes to the background."""
        self.block = block
        """Commands that run one after the other have the same."""
        self.after = after
        """`&&`, `||` or `|` if that stands before it."""
        self.function = function
        self.inner = inner
        """Whether it stands in a substitution."""
        self.words: list[Word] = []
        self.redirections: list[tuple[bytes, bytes, Word]] = []
        """What stands before the operator (a number, {name} or nothing), the operator, its target."""
        self.first = 0
        """Where in `words` the first stands that is no assignment."""

    def name(self) -> bytes | None:
        """The word that says what is run; None if it is computed; empty if there is none."""
        return self.words[self.first].value if self.first < len(self.words) else b""

    def arguments(self) -> list[Word]:
        return self.words[self.first + 1 :]


class Function:
    """A function's definition. `last` is what its body ends with, if that is a simple command."""

    __slots__ = ("end", "last", "line", "name")

    def __init__(self, name: bytes, line: int) -> None:
        self.name = name
        self.line = self.end = line
        self.last: Command | None = None


class Script:
    """What the text says."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.functions: dict[bytes, Function] = {}
        self.variables: dict[bytes, int] = {}
        """Each variable that is expanded or assigned to, and the first line that does."""
        self.subshells: list[tuple[int, int]] = []
        """The first and the last line of each ( … )."""
        self.odd: int | None = None
