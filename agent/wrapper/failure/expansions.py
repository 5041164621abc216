"""What bash expands in a word: variables, arithmetic, substitutions, and what stands in double quotes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.failure.syntax import Command, Word

LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
NAME = LETTERS | frozenset(b"0123456789")
SPECIAL = frozenset(b"@*#?-$!0123456789")
ENDS = frozenset(b" \t\n;&|()<>")
STOPS = frozenset(b" \t\n;&|()<>'\"\\$`[")
"""Where a run of plain characters ends."""


class Odd(Exception):  # noqa: N818 - reads as what it says
    """The text ends in the middle of something, or is nested too deeply."""


class Expansions:
    """Owns the place in the text; knows what is expanded, and leaves words and commands to others."""

    MAX_DEPTH = 40
    """Of substitutions within substitutions."""

    def __init__(self, text: bytes, variables: dict[bytes, int], line: int) -> None:
        self.text = text
        self.variables = variables
        self.line = line
        self.at = self.depth = 0
        self.closing = b""
        """The backquote, within backquotes."""
        self.heredocs: list[tuple[Command, Word, bool]] = []
        """Those that begin on the next line: the command, the word that ends it, whether tabs are dropped."""

    def substitution(self, end: bytes) -> None:
        """Over commands, to the end of where they stand."""
        raise NotImplementedError

    def part(self, char: bytes, start: int) -> bytes | None:
        """Over a piece of a word."""
        raise NotImplementedError

    def single(self, skip: int, *, escapes: bool = False) -> bytes | None:
        """Over what stands in single quotes."""
        raise NotImplementedError

    def in_double_quotes(self, *, heredoc: bool = False) -> bytes | None:
        """Up to and over the closing quote; of a here-document, to its end."""
        value: list[bytes] = []
        known = True
        stops = b"\\$`" if heredoc else b'"\\$`'
        while self.at < len(self.text):
            start = self.at
            while self.at < len(self.text) and self.text[self.at] not in stops:
                self.at += 1
            value.append(self.text[start : self.at])
            self.line += value[-1].count(b"\n")
            char = self.text[self.at : self.at + 1]
            if char == b'"' and not heredoc:
                self.at += 1
                return b"".join(value) if known else None
            if char == b"\\":
                escaped = self.text[self.at + 1 : self.at + 2]
                self.line += escaped == b"\n"
                value.append(escaped if escaped in b'$`"\\' else b"" if escaped == b"\n" else b"\\" + escaped)
                self.at += 2
            elif char == b"$":
                part = self.dollar(quoted=True)
                known = known and part is not None
                value.append(part or b"")
            elif char == b"`":
                self.backquoted()
                known = False
        if heredoc:
            return None
        raise Odd

    def dollar(self, *, quoted: bool) -> bytes | None:
        after = self.text[self.at + 1 : self.at + 2]
        if after == b"'" and not quoted:
            return self.single(2, escapes=True)
        if after == b'"' and not quoted:
            self.at += 2
            return self.in_double_quotes()
        if self.text.startswith(b"$((", self.at):
            self.at += 1
            if self.arithmetic():
                return None
            self.at -= 1
        if after == b"(":
            self.at += 2
            closing, self.closing = self.closing, b""
            self.substitution(b")")
            self.closing = closing
            return None
        if after == b"{":
            self._braced()
            return None
        if after and after[0] in LETTERS:
            end = self.at + 2
            while end < len(self.text) and self.text[end] in NAME:
                end += 1
            self._uses(self.text[self.at + 1 : end])
            self.at = end
            return None
        if after and after[0] in SPECIAL:
            self._uses(after)
            self.at += 2
            return None
        self.at += 1
        return b"$"

    def _braced(self) -> None:
        """${…}: the name, and whatever stands behind it."""
        at = self.at + 2
        prefix = b""
        if self.text[at : at + 1] in (b"!", b"#") and self.text[at + 1 : at + 2] not in (b"}", b":", b"-"):
            prefix = self.text[at : at + 1]
            at += 1
        end = at
        while end < len(self.text) and self.text[end] in NAME:
            end += 1
        name = self.text[at:end] or self.text[at : at + 1]
        if prefix == b"!" and self.text[end : end + 2] in (b"*}", b"@}"):
            name = b"!" + name
        self._uses(name)
        self.at = max(end, at + 1)
        if self.text.startswith((b"?", b":?"), self.at):
            self._uses(b"?}")
        while not self.text.startswith(b"}", self.at):
            self.inside(self.text[self.at : self.at + 1])
        self.at += 1

    def inside(self, char: bytes) -> None:
        """One piece of what stands in ${…}, ((…)) or [[ … ]], where operators mean nothing to us."""
        if not char:
            raise Odd
        if char in (b"'", b'"', b"\\", b"$", b"`"):
            self.part(char, self.at)
            return
        self.line += char == b"\n"
        self.at += 1

    def arithmetic(self) -> bool:
        """((…)), if it is that; else (a subshell in a subshell) nothing is moved."""
        at, line = self.at, self.line
        self.at += 2
        level = 0
        names = len(self.variables)
        while self.at < len(self.text):
            char = self.text[self.at : self.at + 1]
            if char == b"(":
                level += 1
            elif char == b")":
                if level == 0:
                    if self.text.startswith(b"))", self.at):
                        self.at += 2
                        return True
                    break
                level -= 1
            elif char[0] in LETTERS:
                end = self.at
                while end < len(self.text) and self.text[end] in NAME:
                    end += 1
                self._uses(self.text[self.at : end])
                self.at = end
                continue
            if char in (b"#", b"'"):
                self.at += 1
                continue
            self.inside(char)
        if names == len(self.variables) and self.at >= len(self.text):
            raise Odd
        self.at, self.line = at, line
        return False

    def conditional(self) -> None:
        """[[ … ]]."""
        self.at += 2
        while True:
            char = self.text[self.at : self.at + 1]
            if char == b"]" and self.text.startswith(b"]]", self.at) and self.text[self.at - 1] in b" \t\n":
                self.at += 2
                return
            if char == b"-" and self.text.startswith((b"-o ", b"-v "), self.at):
                self.at += 3
                start = self.at
                while self.at < len(self.text) and self.text[self.at] in NAME:
                    self.at += 1
                self._uses(self.text[start : self.at])
            else:
                self.inside(char)

    def backquoted(self) -> None:
        self.at += 1
        closing, self.closing = self.closing, b"`"
        if closing:
            raise Odd  # a second level, which is escaped, never begins with a bare one
        self.substitution(b"`")
        self.closing = closing

    def _uses(self, name: bytes) -> None:
        self.variables.setdefault(name, self.line)
