"""What a shell expands in a word: variables, arithmetic, substitutions, and what stands in double quotes."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from agent.wrapper.shell.syntax import LETTERS, NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.shell.syntax import Command, Script, Sequence, Word

SPECIAL = frozenset(b"@*#?-$!0123456789")
ENDS = frozenset(b" \t\n;&|()<>")
STOPS = ENDS | frozenset(b"'\"\\$`[")
"""Where a run of plain characters ends."""

MAX_DEPTH = 40
"""Of blocks, subshells and substitutions within each other."""


def _outside(chars: frozenset[int]) -> bytes:
    """A table for bytes.translate: each of these becomes 1, and all else 0."""
    return bytes(char in chars for char in range(256))


NO_NAME = _outside(NAME)
NO_STOP = _outside(frozenset(range(256)) - STOPS)
NO_QUOTED_STOP = _outside(frozenset(range(256)) - frozenset(b'"\\$`'))


class Odd(Exception):  # noqa: N818 - reads as what it says
    """The text ends in the middle of something, or is nested too deeply."""


class Expansions:
    """Owns the place in a text; knows what is expanded, and leaves words and commands to others."""

    def __init__(self, text: bytes, script: Script, line: int = 1, depth: int = 0) -> None:
        self.text = text
        self.script = script
        self.at = 0
        self.depth = depth
        self.inside: list[Sequence] = []
        """The commands in the word that is being read."""
        self.heredocs: list[tuple[Command, Word, bool]] = []
        """Those that begin on the next line: the command, the word that ends it, whether tabs are dropped."""
        self._first = line
        self._ends = list(accumulate(len(each) + 1 for each in text.split(b"\n")))
        self._names = text.translate(NO_NAME)
        self._stops = text.translate(NO_STOP)
        self._quoted = text.translate(NO_QUOTED_STOP)
        self._no_arithmetic: set[int] = set()

    def sequence(self) -> Sequence:
        """Commands, up to what ends them."""
        raise NotImplementedError

    def part(self, char: bytes, start: int) -> bytes | None:
        """Over a piece of a word."""
        raise NotImplementedError

    def single(self) -> bytes | None:
        """Over what stands in single quotes."""
        raise NotImplementedError

    def dollar_single(self) -> bytes | None:
        """Over what stands in $'…'."""
        raise NotImplementedError

    def line(self) -> int:
        return self._first + bisect_right(self._ends, self.at)

    def here(self, sign: bytes) -> bool:
        return self.text.startswith(sign, self.at)

    def char(self) -> bytes:
        """The character that stands here; none at the end."""
        return self.text[self.at : self.at + 1]

    def end_of_name(self, at: int) -> int:
        end = self._names.find(0, at)
        return end if end >= 0 else len(self.text)

    def end_of_plain(self, at: int) -> int:
        end = self._stops.find(0, at)
        return end if end >= 0 else len(self.text)

    def bashism(self) -> None:
        """Another shell would read what stands here in another way."""
        self.script.bashism = self.script.bashism or self.line()

    def reader(self, text: bytes, line: int) -> Expansions:
        """One of the same kind for a text within this one."""
        inner = type(self)(text, self.script, line, self.depth + 1)
        inner.inside = self.inside
        return inner

    def in_double_quotes(self, *, heredoc: bool = False) -> bytes | None:
        """Up to and over the closing quote; of a here-document, to its end. The value, if it is certain."""
        value: list[bytes] = []
        known = True
        while self.at < len(self.text):
            start, end = self.at, self._quoted.find(0, self.at)
            self.at = end if end >= 0 else len(self.text)
            value.append(self.text[start : self.at])
            char = self.char()
            if char == b'"':
                self.at += 1
                if not heredoc:
                    return b"".join(value) if known else None
            elif char == b"\\":
                escaped = self.text[self.at + 1 : self.at + 2]
                value.append(escaped if escaped in b'$`"\\' else b"" if escaped == b"\n" else b"\\" + escaped)
                self.at += 2
            elif char:
                part = self.dollar(quoted=True) if char == b"$" else None
                if char == b"`":
                    self.backquoted(quoted=not heredoc)
                known = known and part is not None
                value.append(part or b"")
        if heredoc:
            return None
        raise Odd

    def dollar(self, *, quoted: bool) -> bytes | None:
        after = self.text[self.at + 1 : self.at + 2]
        if after == b"'" and not quoted:
            return self.dollar_single()
        if after == b'"' and not quoted:
            self.bashism()
            self.at += 2
            return self.in_double_quotes()
        if self.here(b"$(("):
            self.at += 1
            if self.arithmetic():
                return None
            self.bashism()
            self.at -= 1
        if after == b"(":
            self.at += 2
            self.substitution()
            return None
        if after == b"{":
            self._braced(quoted=quoted)
            return None
        if after and after[0] in LETTERS:
            end = self.end_of_name(self.at + 1)
            self.uses(self.text[self.at + 1 : end])
            self.at = end
            return None
        if after and after[0] in SPECIAL:
            self.uses(after)
            self.at += 2
            return None
        self.at += 1
        return b"$"

    def substitution(self) -> Sequence:
        """The commands in $(…) or <(…), and over the parenthesis that ends them."""
        heredocs, self.heredocs = self.heredocs, []
        inside, self.inside = self.inside, []
        begin = len(self.script.commands)
        found = self.sequence()
        if not self.here(b")"):
            raise Odd
        self.at += 1
        self.heredocs, self.inside = heredocs, inside
        self._note(found, begin)
        return found

    def backquoted(self, *, quoted: bool) -> None:
        """Commands in backquotes, in which a backslash hides what means something to them."""
        hidden = b'$`\\"' if quoted else b"$`\\"
        start, inner = self.at, bytearray()
        self.at += 1
        while (char := self.char()) != b"`":
            if not char:
                raise Odd
            self.at += char == b"\\" and self.text[self.at + 1 : self.at + 2] in hidden
            inner += self.char()
            self.at += 1
        self.at += 1
        begin = len(self.script.commands)
        reader = self.reader(bytes(inner), self._first + bisect_right(self._ends, start))
        found = reader.sequence()
        if reader.char():
            raise Odd
        self._note(found, begin)

    def _note(self, found: Sequence, begin: int) -> None:
        self.inside.append(found)
        for command in self.script.commands[begin:]:
            command.inner = True

    def _braced(self, *, quoted: bool) -> None:
        """${…}: the name, and whatever stands behind it."""
        at = self.at + 2
        prefix = b""
        if self.text[at : at + 1] in (b"!", b"#") and self.text[at + 1 : at + 2] not in (b"}", b":", b"-"):
            prefix = self.text[at : at + 1]
            at += 1
        end = self.end_of_name(at)
        name = self.text[at:end] or self.text[at : at + 1]
        if prefix == b"!" and self.text[end : end + 2] in (b"*}", b"@}"):
            name = b"!" + name
        self.uses(name)
        self.at = max(end, at + 1)
        if self.here(b"?") or self.here(b":?"):
            self.uses(b"?}")
        begin = len(self.inside)
        plain = quoted and self.char() in (b":", b"-", b"=", b"?", b"+")  # a quote in it is only itself
        while not self.here(b"}"):
            if plain and self.here(b"'"):
                self.at += 1
            else:
                self.piece()
        self.at += 1
        for found in self.inside[begin:]:
            found.optional = True

    def piece(self) -> None:
        """One piece of what stands in ${…}, ((…)) or [[ … ]], where operators mean nothing to us."""
        char = self.char()
        if not char:
            raise Odd
        if char in (b"'", b'"', b"\\", b"$", b"`"):
            self.part(char, self.at)
        else:
            self.at += 1

    def arithmetic(self) -> bool:
        """Over ((…)), if it is that; else (a subshell in a subshell) nothing is moved."""
        start, begin, inside = self.at, len(self.script.commands), len(self.inside)
        if start in self._no_arithmetic:
            return False
        self.at += 2
        level = 0
        while self.at < len(self.text):
            char = self.char()
            if char == b")" and level == 0:
                if self.here(b"))"):
                    self.at += 2
                    return True
                break
            level += {b"(": 1, b")": -1}.get(char, 0)
            if char[0] in LETTERS:
                end = self.end_of_name(self.at)
                self.uses(self.text[self.at : end])
                self.at = end
            elif char in (b"#", b"'"):
                self.at += 1
            else:
                self.piece()
        self.at = start
        del self.script.commands[begin:], self.inside[inside:]
        self._no_arithmetic.add(start)
        return False

    def uses(self, name: bytes) -> None:
        self.script.variables.setdefault(name, self.line())
