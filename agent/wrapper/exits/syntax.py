"""The parts of a shell script: words, commands, and how they are joined."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Command: TypeAlias = "Simple | Group | If | Loop | Case | Function | Opaque"


class Word:
    """One word: its text without quotes, None if the shell computes it, and the commands inside."""

    def __init__(self, raw: str, text: str | None, inside: list[Sequence]) -> None:
        self.raw = raw
        self.text = text
        self.inside = inside


class Simple:
    """Assignments and words: no words where it only assigns."""

    def __init__(self, assigned: list[Word], words: list[Word], redirected: list[Word]) -> None:
        self.assigned = assigned
        self.words = words
        self.redirected = redirected

    @property
    def name(self) -> str | None:
        """The command's name; empty where there is none, None where it is computed."""
        return self.words[0].text if self.words else ""

    def inner(self) -> Iterator[Sequence]:
        for word in (*self.words, *self.assigned, *self.redirected):
            yield from word.inside


class Group:
    """Commands in braces or, as a process of their own, in parentheses."""

    def __init__(self, body: Sequence, *, apart: bool) -> None:
        self.body = body
        self.apart = apart

    def inner(self) -> Iterator[Sequence]:
        yield self.body


class If:
    """if, elif and else."""

    def __init__(self, clauses: list[tuple[Sequence, Sequence]], otherwise: Sequence | None) -> None:
        self.clauses = clauses
        self.otherwise = otherwise

    def inner(self) -> Iterator[Sequence]:
        for clause in self.clauses:
            yield from clause
        if self.otherwise:
            yield self.otherwise


class Loop:
    """while, until, for: without a condition where it goes over words."""

    def __init__(self, condition: Sequence | None, body: Sequence, words: list[Word]) -> None:
        self.condition = condition
        self.body = body
        self.words = words

    def inner(self) -> Iterator[Sequence]:
        if self.condition:
            yield self.condition
        yield self.body
        for word in self.words:
            yield from word.inside


class Case:
    """Its patterns' commands are inside the word."""

    def __init__(self, word: Word, bodies: list[Sequence]) -> None:
        self.word = word
        self.bodies = bodies

    def inner(self) -> Iterator[Sequence]:
        yield from self.word.inside
        yield from self.bodies


class Function:
    """The definition of one."""

    def __init__(self, name: str, body: Command) -> None:
        self.name = name
        self.body = body

    def inner(self) -> Iterator[Sequence]:
        return iter(())


class Opaque:
    """[[ … ]]: no command in it that could be the one that failed."""

    def inner(self) -> Iterator[Sequence]:
        return iter(())


class Pipeline:
    """Commands joined by |, of which the last one's end counts."""

    def __init__(self, commands: list[Command], *, negated: bool) -> None:
        self.commands = commands
        self.negated = negated


class Chain:
    """Pipelines joined by && and ||; in the background or not."""

    def __init__(self, first: Pipeline, rest: list[tuple[str, Pipeline]]) -> None:
        self.parts = [("", first), *rest]
        self.background = False


class Sequence:
    """Chains, one after the other."""

    def __init__(self, chains: list[Chain]) -> None:
        self.chains = chains


def commands(sequence: Sequence) -> Iterator[Command]:
    """Every command in it, however deep, in no order."""
    todo = list(_of(sequence))
    while todo:
        command = todo.pop()
        yield command
        if isinstance(command, Function):
            todo.append(command.body)
        for inner in command.inner():
            todo.extend(_of(inner))


def _of(sequence: Sequence) -> Iterator[Command]:
    for chain in sequence.chains:
        for _, part in chain.parts:
            yield from part.commands
