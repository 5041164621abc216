"""The parts of a shell script's text: words, commands, and how they are joined."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Node: TypeAlias = "Command | Group | If | Loop | Case | Function"
    Part: TypeAlias = "Node | Chain | Sequence"

LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
NAME = LETTERS | frozenset(b"0123456789")
SETS = frozenset(b"read for select printf mapfile readarray getopts let".split())
"""What gives a variable a value that does not stand in the text."""

TELLS = (b"echo", b"printf")
"""Commands that do not fail, so that what stands after their `&&` runs."""


def assigned(raw: bytes) -> bytes:
    """The variable's name, if the word is an assignment."""
    at = 0
    while at < len(raw) and raw[at] in NAME:
        at += 1
    name, rest = raw[:at], raw[at:]
    if not name or name[0] not in LETTERS:
        return b""
    if rest.startswith(b"[") and (end := rest.find(b"]")) > 0:
        rest = rest[end + 1 :]
    return name if rest.startswith((b"=", b"+=")) else b""


class Word:
    """One word: as it is written, its value where the shell expands nothing in it, the commands in it."""

    __slots__ = ("inside", "line", "raw", "value")

    def __init__(self, raw: bytes, value: bytes | None, line: int, inside: list[Sequence]) -> None:
        self.raw = raw
        self.value = value
        self.line = line
        self.inside = inside

    def opened(self) -> bytes:
        """What stands in the quotes, where it is all in quotes."""
        if self.value is not None:
            return self.value
        quoted = self.raw[:1] == self.raw[-1:] == b'"'
        return self.raw[1:-1].replace(b"\\$", b"$").replace(b'\\"', b'"') if quoted else self.raw


class Command:
    """What a shell runs as one: a simple command, `[[ … ]]`, `((…))`, the head of a `for` or `case`.

    The redirections after a compound command are one too, without words.
    """

    __slots__ = (
        *("apart", "background", "end", "first", "function", "inner", "line", "redirections", "words"),
    )

    def __init__(self, line: int) -> None:
        self.line = self.end = line
        self.words: list[Word] = []
        self.redirections: list[tuple[bytes, bytes, Word]] = []
        """What stands before the operator (a number, {name} or nothing), the operator, its target."""
        self.first = 0
        """Where in `words` the first stands that is no assignment."""
        self.function: Function | None = None
        """The innermost that it stands in."""
        self.inner = False
        """Whether it stands in a substitution."""
        self.apart = False
        """Whether it stands in a subshell, or in a part of a pipeline."""
        self.background = False
        """Whether it stands in what goes to the background."""

    def name(self) -> bytes | None:
        """The word that says what is run; None if it is computed; empty if there is none."""
        return self.words[self.first].value if self.first < len(self.words) else b""

    def arguments(self) -> list[Word]:
        return self.words[self.first + 1 :]

    def opens_files(self) -> bool:
        """Whether a redirection opens a file, so that it may fail before anything runs."""
        return any(
            operator not in (b"<<", b"<<-")
            and not target.raw.isdigit()
            and target.raw not in (b"/dev/null", b"-")
            for _, operator, target in self.redirections
        )

    def parts(self) -> Iterator[Word]:
        """Every word, those of redirections too."""
        yield from self.words
        for _, _, target in self.redirections:
            yield target


class Group:
    """Commands in braces or, as a process of their own, in parentheses."""

    __slots__ = ("apart", "body", "redirected")

    def __init__(self, body: Sequence, *, apart: bool) -> None:
        self.body = body
        self.apart = apart
        self.redirected: Command | None = None


class If:
    """if, elif and else."""

    __slots__ = ("clauses", "otherwise", "redirected")

    def __init__(self, clauses: list[tuple[Sequence, Sequence]], otherwise: Sequence | None) -> None:
        self.clauses = clauses
        self.otherwise = otherwise
        self.redirected: Command | None = None


class Loop:
    """`for` and `select` have a head; the condition of `while` and `until` says whether it goes on."""

    __slots__ = ("body", "condition", "head", "redirected", "until")

    def __init__(self, head: Command | None, condition: Sequence, body: Sequence, *, until: bool) -> None:
        self.head = head
        self.condition = condition
        self.body = body
        self.until = until
        self.redirected: Command | None = None


class Case:
    """Its patterns' commands are inside the head's word."""

    __slots__ = ("bodies", "head", "redirected")

    def __init__(self, head: Command, bodies: list[Sequence]) -> None:
        self.head = head
        self.bodies = bodies
        self.redirected: Command | None = None


class Function:
    """The definition of one. Its body is None where the text ends in the middle of it."""

    __slots__ = ("body", "end", "line", "name", "redirected")

    def __init__(self, name: bytes, line: int) -> None:
        self.name = name
        self.line = self.end = line
        self.body: Node | None = None
        self.redirected: Command | None = None

    def last(self) -> Command | None:
        """What its body surely ends with, if that is one command."""
        if not isinstance(self.body, Group) or self.body.apart or not self.body.body.chains:
            return None
        parts = self.body.body.chains[-1].parts
        sign, last = parts[-1]
        told = parts[-2][1].only() if len(parts) > 1 else None
        certain = not sign or (sign == b"&&" and isinstance(told, Command) and told.name() in TELLS)
        command = last.only()
        return command if certain and isinstance(command, Command) else None


class Pipeline:
    """Commands joined by |, of which the last one's end counts."""

    __slots__ = ("commands", "negated")

    def __init__(self, commands: list[Node], *, negated: bool) -> None:
        self.commands = commands
        self.negated = negated

    def only(self) -> Node | None:
        """The command, if it is one alone."""
        return self.commands[0] if len(self.commands) == 1 else None


class Chain:
    """Pipelines joined by && and ||; in the background or not."""

    __slots__ = ("background", "parts")

    def __init__(self, first: Pipeline) -> None:
        self.parts = [(b"", first)]
        self.background = False


class Sequence:
    """Chains, one after the other."""

    __slots__ = ("beside", "chains", "optional")

    def __init__(self) -> None:
        self.chains: list[Chain] = []
        self.beside = False
        """Whether it runs beside the command in whose words it stands: <(…)."""
        self.optional = False
        """Whether it may not run at all: ${a:-$(…)}."""


class Script:
    """What a text says. The lists hold what stands anywhere in it, in substitutions too."""

    def __init__(self) -> None:
        self.body = Sequence()
        self.commands: list[Command] = []
        """Each after those that stand in its words."""
        self.functions: dict[bytes, Function] = {}
        self.sequences: list[Sequence] = []
        self.variables: dict[bytes, int] = {}
        """Each variable that is expanded or assigned to, and the first line that does."""
        self.subshells: list[tuple[int, int]] = []
        """The first and the last line of each ( … )."""
        self.odd: int | None = None
        """The line where the text ends in the middle of something: from there on nothing is certain."""
        self.bashism: int | None = None
        """The first line that shells read in different ways."""

    def nodes(self) -> Iterator[Node]:
        """Every command, of any kind."""
        for sequence in self.sequences:
            for chain in sequence.chains:
                for _, pipeline in chain.parts:
                    yield from pipeline.commands

    def assigns(self, name: bytes) -> bool:
        """Whether it gives the variable a value of its own."""
        return any(assigned(word.raw) == name for command in self.commands for word in command.words)

    def pipelines(self) -> Iterator[list[Command]]:
        """Those whose parts are all plain commands."""
        for sequence in self.sequences:
            for chain in sequence.chains:
                for _, pipeline in chain.parts:
                    found = [part for part in pipeline.commands if isinstance(part, Command)]
                    if len(found) == len(pipeline.commands):
                        yield found

    def after(self, command: Command) -> Command | None:
        """What runs next, if that is one certain command."""
        for sequence in self.sequences:
            for chain, following in zip(sequence.chains, sequence.chains[1:]):
                if chain.parts[-1][1].commands[-1] is command:
                    return _first(following)
        return None

    def untested(self, command: Command) -> bool:
        """Whether another command follows however this one ends, and does not look at how."""
        for sequence in self.sequences:
            for chain, following in zip(sequence.chains, sequence.chains[1:]):
                if len(chain.parts) == 1 and chain.parts[0][1].commands[-1] is command:
                    first = _first(following)
                    return first is not None and not _passes_on(first)
        return False


def _passes_on(command: Command) -> bool:
    """Whether it looks at how the command before it ended, or ends with the same."""
    if command.name() in (b"exit", b"return") and not command.arguments():
        return True
    return any(b"$?" in word.raw or b"PIPESTATUS" in word.raw for word in command.words)


def _first(chain: Chain) -> Command | None:
    """What a chain begins with, if that is one certain command."""
    node = chain.parts[0][1].commands[0]
    if isinstance(node, If):
        return _first(node.clauses[0][0].chains[0]) if node.clauses[0][0].chains else None
    if isinstance(node, Loop) and node.condition.chains:
        return _first(node.condition.chains[0])
    if isinstance(node, (Loop, Case)):
        return node.head
    return node if isinstance(node, Command) else None


def within(part: Part) -> Iterator[Command]:
    """Every command in a part, those in substitutions too; not in functions that it defines."""
    waiting: list[object] = [part]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Command):
            yield each
            waiting += [inside for word in each.parts() for inside in word.inside]
        elif isinstance(each, Sequence):
            waiting += each.chains
        elif isinstance(each, Chain):
            waiting += [command for _, pipeline in each.parts for command in pipeline.commands]
        elif isinstance(each, Group):
            waiting.append(each.body)
        elif isinstance(each, If):
            waiting += [body for clause in each.clauses for body in clause] + [each.otherwise]
        elif isinstance(each, Loop):
            waiting += [each.head, each.condition, each.body]
        elif isinstance(each, Case):
            waiting += [each.head, *each.bodies]


def values_of(commands: list[Command], name: bytes) -> list[bytes] | None:
    """All that these assign to a variable; None if it may get another value, or one of a command."""
    found = []
    for command in commands:
        if command.name() in SETS and any(word.value == name for word in command.words):
            return None
        found += [word.value or word.raw for word in command.words if assigned(word.raw) == name]
    values = [raw.partition(b"=")[2] for raw in found]
    return None if not values or any(b"$(" in value or b"`" in value for value in values) else values
