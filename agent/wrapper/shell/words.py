"""A shell script's words: quotes, arrays, comments and here-documents."""

from __future__ import annotations

from agent.wrapper.shell.expansions import ENDS, Expansions, Odd
from agent.wrapper.shell.syntax import Word, assigned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.shell.syntax import Command

OPERATORS = (b"&>>", b"<<<", b"<<-", b"<<", b"<>", b"<&", b">>", b">&", b">|", b"&>", b"<", b">")
"""Of redirections."""

REDIRECTS = frozenset(bytes((sign,)) for sign in b"<>&{0123456789")
"""What a redirection begins with."""


class Words(Expansions):
    """Knows words, but not commands."""

    def blanks(self) -> None:
        """Over blanks, continued lines and a comment; up to the end of the line."""
        while True:
            char = self.char()
            if char in (b" ", b"\t"):
                self.at += 1
            elif char == b"\\" and self.here(b"\\\n"):
                self.at += 2
            elif char == b"#" and (self.at == 0 or self.text[self.at - 1] in ENDS):
                end = self.text.find(b"\n", self.at)
                self.at = end if end >= 0 else len(self.text)
            else:
                return

    def lines(self) -> None:
        """Over blanks, comments and newlines."""
        self.blanks()
        while self.here(b"\n"):
            self.newline()
            self.blanks()

    def newline(self) -> None:
        """Over one newline, and over the here-documents that begin after it."""
        self.at += 1
        waiting, self.heredocs = self.heredocs, []
        for command, word, tabs in waiting:
            self._heredoc(command, word, tabs=tabs)

    def _heredoc(self, command: Command, word: Word, *, tabs: bool) -> None:
        quoted = word.value if word.value is not None else word.raw
        start, line = self.at, self.line()
        while self.at < len(self.text):  # a shell takes the end of the text for its end
            end = self.text.find(b"\n", self.at)
            end = end if end >= 0 else len(self.text)
            text = self.text[self.at : end]
            self.at = min(end + 1, len(self.text))
            if (text.lstrip(b"\t") if tabs else text) == quoted:
                break
        command.end = self.line() - (self.text[self.at - 1 : self.at] == b"\n")
        if word.raw == quoted:  # not quoted: what it holds is expanded
            inner = self.reader(self.text[start : self.at], line)
            inner.inside = word.inside
            inner.in_double_quotes(heredoc=True)

    def peek(self) -> bytes:
        """The word that stands here, if it is all plain characters."""
        end = self.end_of_plain(self.at)
        if self.here(b"[[") and self.text[self.at + 2 : self.at + 3] in (b" ", b"\t", b"\n"):
            return b"[["
        return self.text[self.at : end] if end == len(self.text) or self.text[end] in ENDS else b""

    def plain(self, raw: bytes) -> Word:
        return Word(raw, raw, self.line(), [])

    def word(self) -> Word:
        """One word, at least a character of it."""
        start, line = self.at, self.line()
        outside, self.inside = self.inside, []
        value: list[bytes] = []
        known = True
        while self.at < len(self.text):
            if self.text[self.at] not in ENDS:
                part = self.part(self.char(), start)
            elif self._parentheses(start):
                part = None
            else:
                break
            known = known and part is not None
            value.append(part or b"")
        if self.at == start:
            raise Odd
        inside, self.inside = self.inside, outside
        return Word(self.text[start : self.at], b"".join(value) if known else None, line, inside)

    def part(self, char: bytes, start: int) -> bytes | None:
        """A quoted, expanded or plain piece of a word; its value, if that is certain."""
        if char == b"'":
            return self.single()
        if char == b'"':
            self.at += 1
            return self.in_double_quotes()
        if char == b"\\":
            self.at += 2
            return b"" if self.text[self.at - 1 : self.at] == b"\n" else self.text[self.at - 1 : self.at]
        if char == b"$":
            return self.dollar(quoted=False)
        if char == b"`":
            self.backquoted(quoted=False)
            return None
        if char == b"[" and self.at > start and self.end_of_name(start) == self.at:
            self._subscript()
            return None
        at = self.end_of_plain(self.at + 1)
        raw = self.text[self.at : at]
        self.at = at
        if raw.endswith(b"=") and self.here(b"(") and assigned(self.text[start:at]):
            self._array()
            return None
        return None if set(raw) & set(b"*?~") or b"{" in raw else raw

    def _subscript(self) -> None:
        """`[…]` after a name: an array's element, if `=` follows; else part of a pattern."""
        end = self.at + 1
        level = 1
        while end < len(self.text) and level and self.text[end] not in b"\n;":
            level += {b"[": 1, b"]": -1}.get(self.text[end : end + 1], 0)
            end += 1
        if level == 0 and self.text[end : end + 1] in (b"=", b"+"):
            while self.at < end:
                self.piece()
        else:
            self.at += 1

    def _parentheses(self, start: int) -> bool:
        """Over <(…), or the (…) of a pattern such as +([0-9]), if one stands here as a part of a word."""
        before = self.text[self.at - 1 : self.at]
        if (self.here(b"<(") or self.here(b">(")) and (self.at == start or before == b"="):
            self.at += 2
            self.substitution().beside = True
        elif self.here(b"(") and self.at > start and before in (b"?", b"*", b"+", b"@", b"!"):
            level = 0
            while level or self.here(b"("):
                level += {b"(": 1, b")": -1}.get(self.char(), 0)
                self.piece()
        else:
            return False
        self.bashism()
        return True

    def _array(self) -> None:
        """`(…)` of an array's assignment."""
        self.bashism()
        self.at += 1
        self.lines()
        while not self.here(b")"):
            self.inside += self.word().inside
            self.lines()
        self.at += 1

    def single(self) -> bytes:
        start = self.at + 1
        end = self.text.find(b"'", start)
        if end < 0:
            raise Odd
        self.at = end + 1
        return self.text[start:end]

    def dollar_single(self) -> bytes | None:
        """Over $'…', in which a backslash hides the next character."""
        self.bashism()
        start = self.at = self.at + 2
        while not self.here(b"'"):
            if not self.char():
                raise Odd
            self.at += 2 if self.here(b"\\") else 1
        inside = self.text[start : self.at]
        self.at += 1
        return None if b"\\" in inside else inside

    def redirection(self, command: Command) -> bool:
        """Over one redirection, if that is what stands here."""
        start = self.at
        if self.text[start : start + 1] not in REDIRECTS:
            return False
        at = self._number()
        operator = next((sign for sign in OPERATORS if self.text.startswith(sign, at)), b"")
        if not operator or (at == start and operator in (b"<", b">") and self.text.startswith(b"(", at + 1)):
            return False  # a process substitution is part of a word
        if operator in (b"&>", b"&>>", b"<<<") or self.here(b"{"):
            self.bashism()
        self.at = at + len(operator)
        self.blanks()
        target = self.word()
        command.redirections.append((self.text[start:at], operator, target))
        if operator in (b"<<", b"<<-"):
            self.heredocs.append((command, target, operator == b"<<-"))
        return True

    def _number(self) -> int:
        """Behind the number or the {name} that may stand before a redirection."""
        if self.here(b"{"):
            end = self.end_of_name(self.at + 1)
            return end + 1 if self.text.startswith(b"}", end) else self.at
        at = self.at
        while self.text[at : at + 1].isdigit():
            at += 1
        return at
