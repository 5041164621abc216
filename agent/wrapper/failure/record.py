"""What bash wrote while the script ran: one entry a command, in the order in which they began."""

from __future__ import annotations

import re

from agent.wrapper.shell import reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DEPTH, FIELD, GROUP = b"\6", b"\2", b"\5"
"""What the shell code in methods/ puts before an entry, between its fields, and between groups of them."""

HEAD = re.compile(
    rb"(\x06+)\x02(\d+)\x02([\d ]*)\x02([A-Za-z]*)\x02(\d+)\x02(\d+)"
    rb"\x02([^\x02\x06]*)\x02([\d ]*)\x02([^\x02\x06]*)\x02",
)
OURS, STOPS = b": rollcall ", b"__rollcall "
ASSIGNMENT = re.compile(rb"[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=")
QUOTED = re.compile(rb"\$?'(?:[^'\\]|\\.|'\\'')*'|[^\s']+")
TRAPPED = FIELD + GROUP + FIELD
GROUPS, THREE = 7, 3
FOR_ERR = re.compile(rb" ERR(?: \w+)*$", re.IGNORECASE)
"""What a trap's command ends with, if one of its signals is ERR."""
WRITTEN_BY_TRAP = re.compile(rb"\x06\x02\d+\x02\x05\x02")


class Position:
    """A line of a file, in a function (`main` outside)."""

    __slots__ = ("function", "line", "source")

    def __init__(self, source: bytes, line: int, function: bytes) -> None:
        self.source = source
        self.line = line
        self.function = function


class Entry:
    """One command that is about to run, or what the ERR trap says of the one before."""

    __slots__ = (
        *(
            "at",
            "depth",
            "flags",
            "functions",
            "line",
            "lines",
            "ours",
            "pid",
            "pipe",
            "sources",
            "status",
            "text",
        ),
        *("assigns", "raw", "word"),
    )

    def __init__(self, depth: int, fields: Sequence[bytes], text: bytes) -> None:
        self.at = 0
        """Its place in the record."""
        self.depth = depth
        self.status = int(fields[0])
        """The exit code of what ran before it."""
        self.pipe = tuple(int(status) for status in fields[1].split())
        """The same of each part of the pipeline that ran before, without `!`."""
        self.flags = fields[2]
        self.pid = int(fields[3])
        self.line = int(fields[4])
        self.lines = tuple(int(line) for line in fields[6].split())
        outside = (b"source",) * (len(self.lines) - 1) + (b"main",)  # what bash says only within functions
        self.functions = tuple(fields[5].split()) or outside
        self.sources = _split(fields[7], len(self.functions))
        if self.functions[-1] != b"main":  # the script comes from stdin
            self.functions += (b"main",)
            self.sources += (b"",)
        if len(self.lines) < len(self.functions):
            self.lines += (0,)
        self.text = text
        self.ours = text.startswith(OURS)
        self.raw = False
        """Whether `text` is as it stands in the script, not expanded."""
        self.word, self.assigns = _first_word(text)
        """The command's first word, without quotes that do not matter; whether that is an assignment."""

    @property
    def stops(self) -> bool:
        """Whether there were too many commands, and only failures are written from here on."""
        return self.text.startswith(STOPS)

    @property
    def sets_err_trap(self) -> bool:
        return self.word == b"trap" and FOR_ERR.search(self.text) is not None

    @property
    def frame(self) -> tuple[object, ...]:
        """What two commands of the same call of the same function have in common."""
        return self.pid, self.functions, self.lines

    @property
    def beyond(self) -> int:
        """How many evals and traps it runs within."""
        return self.depth - 1 - self.functions.count(b"source")

    def positions(self) -> list[Position]:
        """Where it stands, where that was called, and so on outwards."""
        lines = (self.line, *self.lines)
        return [Position(*each) for each in zip(self.sources, lines, self.functions)]


class Error:
    """What an ERR trap was told of the command before it; `pipe` is each part of a pipeline."""

    __slots__ = ("entry", "flags", "pipe", "status")

    def __init__(self, entry: Entry, status: int, pipe: tuple[int, ...], flags: bytes) -> None:
        self.entry = entry
        self.status = status
        self.pipe = pipe
        self.flags = flags

    @classmethod
    def written(cls, entry: Entry) -> Error:
        """By our own ERR trap: exit code, options, those of the pipeline, the last word of the command."""
        words = entry.text.split(b" ")
        pipe: list[int] = []
        for word in words[4:-1]:
            if not word.isdigit():
                break
            pipe.append(int(word))
        return cls(entry, int(words[2]), tuple(pipe) or entry.pipe, words[3])


def read(data: bytes) -> list[Entry]:
    """Every entry that is whole, in either form; the first may be cut, and is left out.

    What traps write comes last: xtrace may have made way for them.
    """
    begin = data.find(DEPTH + TRAPPED[:1])
    while begin >= 0 and not WRITTEN_BY_TRAP.match(data, begin):
        begin = data.find(DEPTH + TRAPPED[:1], begin + 1)
    begin = begin if begin >= 0 else len(data)
    entries = [*_traced(data[:begin]), *_trapped(data[begin:])]
    for at, entry in enumerate(entries):
        entry.at = at
    return entries


def _traced(data: bytes) -> Iterator[Entry]:
    """What xtrace wrote."""
    heads = list(HEAD.finditer(data))
    ends = [head.start() for head in heads[1:]] + [len(data)]
    for head, end in zip(heads, ends):
        yield Entry(len(head[1]), head.groups()[1:], data[head.end() : end].removesuffix(b"\n"))


def _trapped(data: bytes) -> Iterator[Entry]:
    """What DEBUG and ERR traps wrote: of a failure, the command and how it ended are one record."""
    for record in data.split(DEPTH + FIELD)[1:]:
        groups = [group.split(FIELD) for group in record.removesuffix(FIELD).split(FIELD + GROUP + FIELD)]
        if len(groups) != GROUPS or len(groups[2]) != THREE or len(groups[6]) < THREE:
            continue
        status, pipe, shell, *stack, (*command, count, last) = groups
        text = FIELD.join(command)
        joined = [b" ".join(each) for each in stack]
        fields = [status[0], b" ".join(pipe), *shell, *joined]
        entry = Entry(1, fields, text)
        entry.word, entry.assigns = _raw_word(text)
        entry.raw = True
        yield entry
        if not count:
            yield Entry(2, fields, b" ".join((OURS.strip(), status[0], shell[0], *pipe, last)))


def _first_word(text: bytes) -> tuple[bytes, bool]:
    """Of a command as xtrace writes it: expanded, and quoted anew."""
    found = QUOTED.match(text)
    return (found[0].strip(b"'") if found else b""), ASSIGNMENT.match(text) is not None


def _raw_word(text: bytes) -> tuple[bytes, bool]:
    """Of a command as it stands in the script."""
    if text.startswith(b"("):
        return b"", False
    commands = [command for command in reader.read(text).commands if not command.inner]
    if not commands:
        return b"", False
    name = commands[0].name()
    return name or b"", name == b""


def _split(names: bytes, count: int) -> tuple[bytes, ...]:
    """The names of `count` files, joined by blanks. Where blanks in them leave it open, none."""
    parts = names.split(b" ")
    if len(parts) == count:
        return tuple(parts)
    size, rest = divmod(len(names) + 1, count)
    same = names[: size - 1]
    if rest == 0 and names == b" ".join([same] * count):
        return (same,) * count
    return (b"",) * count
