"""A bash script's words: quotes, expansions, comments and here-documents."""

from __future__ import annotations

from agent.wrapper.failure.expansions import ENDS, LETTERS, NAME, STOPS, Expansions, Odd
from agent.wrapper.failure.syntax import Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.failure.syntax import Command


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


class Words(Expansions):
    """Owns the place in the text; knows words, but not commands."""

    def skip_blanks(self) -> None:
        """Over blanks, continued lines and a comment; up to the end of the line."""
        while True:
            char = self.text[self.at : self.at + 1]
            if char in (b" ", b"\t", b"\r"):
                self.at += 1
            elif self.text.startswith(b"\\\n", self.at):
                self.at += 2
                self.line += 1
            elif char == b"#" and (self.at == 0 or self.text[self.at - 1] in ENDS or self.closing):
                self._comment()
            else:
                return

    def _comment(self) -> None:
        ends = [self.text.find(end, self.at) for end in (b"\n", self.closing) if end]
        self.at = min((end for end in ends if end >= 0), default=len(self.text))

    def skip_lines(self) -> None:
        """Over blanks, comments and newlines."""
        self.skip_blanks()
        while self.text.startswith(b"\n", self.at):
            self.newline()
            self.skip_blanks()

    def newline(self) -> None:
        """One newline, and the here-documents that begin after it."""
        self.at += 1
        self.line += 1
        waiting, self.heredocs = self.heredocs, []
        for command, word, tabs in waiting:
            self._heredoc(command, word, tabs=tabs)

    def _heredoc(self, command: Command, word: Word, *, tabs: bool) -> None:
        quoted = word.value if word.value is not None else word.raw
        start = self.at
        while True:
            if self.at >= len(self.text):
                break  # bash takes the end of the text for its end
            end = self.text.find(b"\n", self.at)
            end = end if end >= 0 else len(self.text)
            text = self.text[self.at : end]
            self.at = min(end + 1, len(self.text))
            self.line += 1
            if (text.lstrip(b"\t") if tabs else text) == quoted:
                break
        command.end = self.line - 1
        if word.raw == quoted:  # not quoted: what it holds is expanded
            line, at, text = self.line, self.at, self.text
            self.text, self.at, self.line = text[start:at], 0, self.line - text.count(b"\n", start, at)
            while self.at < len(self.text):
                self.in_double_quotes(heredoc=True)
            self.text, self.at, self.line = text, at, line

    def peek(self) -> bytes:
        """The word that stands here, if it is all plain characters."""
        at = self.at
        while at < len(self.text) and self.text[at] not in STOPS:
            at += 1
        if self.text.startswith(b"[[", self.at) and self.text[self.at + 2 : self.at + 3] in (
            b" ",
            b"\t",
            b"\n",
        ):
            return b"[["
        if at < len(self.text) and self.text[at] not in ENDS and self.text[at : at + 1] != self.closing:
            return b""
        return self.text[self.at : at]

    def plain(self, raw: bytes, line: int) -> Word:
        return Word(raw, raw, line)

    def word(self) -> Word:
        """One word, at least a character of it."""
        start, line = self.at, self.line
        value: list[bytes] = []
        known = True
        while self.at < len(self.text) and self.text[self.at] not in ENDS:
            char = self.text[self.at : self.at + 1]
            if char == b"`" and self.closing == b"`":
                break
            part = self.part(char, start)
            known = known and part is not None
            value.append(part or b"")
        if self.text[self.at : self.at + 2] in (b"<(", b">(") and self._glued(start):
            self.at += 2
            self.substitution(b")")
            rest = self.word() if self.at < len(self.text) and self.text[self.at] not in ENDS else None
            return Word(self.text[start : self.at], None, rest.line if rest and not line else line)
        if self.at == start:
            raise Odd
        return Word(self.text[start : self.at], b"".join(value) if known else None, line)

    def _glued(self, start: int) -> bool:
        return self.at == start or self.text[self.at - 1 : self.at] == b"="

    def part(self, char: bytes, start: int) -> bytes | None:  # noqa: PLR0911 - one for each kind
        """A quoted, expanded or plain piece of a word; its value, if that is certain."""
        if char == b"'":
            return self.single(1)
        if char == b'"':
            at = self.at
            self.at += 1
            return self.in_double_quotes() if self.at > at else None
        if char == b"\\":
            self.at += 2
            if self.text.startswith(b"\n", self.at - 1):
                self.line += 1
                return b""
            return self.text[self.at - 1 : self.at]
        if char == b"$":
            return self.dollar(quoted=False)
        if char == b"`":
            self.backquoted()
            return None
        if char == b"[" and self.at > start and set(self.text[start : self.at]) <= NAME:
            return self._subscript()
        at = self.at + 1
        while at < len(self.text) and self.text[at] not in STOPS:
            at += 1
        raw = self.text[self.at : at]
        self.at = at
        if raw.endswith(b"=") and self.text.startswith(b"(", at) and assigned(self.text[start:at]):
            self._array()
            return None
        return None if set(raw) & set(b"*?~") or b"{" in raw else raw

    def _subscript(self) -> bytes | None:
        """`[…]` after a name: an array's element, if `=` follows; else part of a pattern."""
        end = self.at + 1
        level = 1
        while end < len(self.text) and level and self.text[end] not in b"\n;":
            level += {b"[": 1, b"]": -1}.get(self.text[end : end + 1], 0)
            end += 1
        if level == 0 and self.text[end : end + 1] in (b"=", b"+"):
            stop = end
            while self.at < stop:
                self.inside(self.text[self.at : self.at + 1])
            return None
        self.at += 1
        return None

    def _array(self) -> None:
        """`(…)` of an array's assignment."""
        self.at += 1
        while True:
            self.skip_lines()
            char = self.text[self.at : self.at + 1]
            if char == b")":
                self.at += 1
                return
            if char in (b"<", b">") and self.text.startswith(b"(", self.at + 1):
                self.word()
            elif not char or char in b"(;&|<>":
                raise Odd
            else:
                self.word()

    def single(self, skip: int, *, escapes: bool = False) -> bytes | None:
        """'…', or $'…' in which a backslash escapes the next character."""
        start = at = self.at + skip
        while True:
            at = self.text.find(b"'", at)
            if at < 0:
                raise Odd
            slashes = at - 1
            while escapes and slashes >= start and self.text[slashes : slashes + 1] == b"\\":
                slashes -= 1
            if escapes and (at - 1 - slashes) % 2:
                at += 1
                continue
            break
        inside = self.text[start:at]
        self.line += inside.count(b"\n")
        self.at = at + 1
        return None if escapes and b"\\" in inside else inside

    def empty_parentheses(self) -> bool:
        """Over `()` of a function's definition, if that stands here."""
        self.skip_blanks()
        if not self.text.startswith(b"(", self.at):
            return False
        self.at += 1
        self.skip_blanks()
        self.at += 1
        return self.text.startswith(b")", self.at - 1)

    def operator(self, at: int) -> bytes:
        """The operator of a redirection that stands there, if one does."""
        for operator in (b"&>>", b"<<<", b"<<-", b"<<", b"<>", b"<&", b">>", b">&", b">|", b"&>", b"<", b">"):
            if self.text.startswith(operator, at):
                return operator
        return b""
