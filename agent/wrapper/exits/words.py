"""The words and signs of a shell script: quotes, comments, here-documents and what the shell computes."""

from __future__ import annotations

import re

from agent.wrapper.exits.syntax import Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.exits.syntax import Sequence

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^]]*\])?\+?=")
BLANK = " \t\r"
ENDS_WORD = " \t\r\n;&|()<>"
OPERATORS = ("<<<", "<<-", ";;&", "&&", "||", ";;", ";&", "<<", ">>", "<&", ">&", "<>", ">|", *";&|()<>\n")
REDIRECTIONS = frozenset(("<<<", "<<-", "<<", ">>", "<&", ">&", "<>", ">|", "<", ">"))
MAX_DEPTH = 60


class CannotRead(Exception):  # noqa: N818 - reads as what it says
    """The text is in no form that this grammar knows."""


class Words:
    """Reads one text from its beginning to its end; the commands inside words are the grammar's to read."""

    def __init__(self, text: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise CannotRead("too deep")
        self.text = text
        self.depth = depth
        self.at = 0
        self.heredocs: list[tuple[str, bool, bool, list[Sequence]]] = []

    def sequence(self) -> Sequence:
        raise NotImplementedError

    def whole(self) -> Sequence:
        """All that the text holds."""
        found = self.sequence()
        if self.at < len(self.text):
            raise CannotRead(f"at character {self.at}")
        return found

    def blank(self) -> None:
        text = self.text
        while self.at < len(text):
            if text[self.at] in BLANK:
                self.at += 1
            elif text.startswith("\\\n", self.at):
                self.at += 2
            elif text[self.at] == "#":
                end = text.find("\n", self.at)
                self.at = len(text) if end < 0 else end
            else:
                return

    def operator(self) -> str:
        """The operator that comes next, without taking it; empty if it is none."""
        self.blank()
        return next((sign for sign in OPERATORS if self.text.startswith(sign, self.at)), "")

    def take(self, sign: str) -> None:
        if self.operator() != sign:
            raise CannotRead(f"no {sign} at character {self.at}")
        self.at += len(sign)
        if sign == "\n":
            self.skip_heredocs()

    def newlines(self) -> None:
        while self.operator() == "\n":
            self.take("\n")

    def peek(self) -> str:
        """The letters of the word that comes next, up to anything special."""
        self.blank()
        found = re.compile(r"[A-Za-z_!{}\[]+(?=[\s;&|()<>]|$)").match(self.text, self.at)
        return found[0] if found else ""

    def keyword(self, word: str) -> None:
        self.newlines()
        if self.peek() != word:
            raise CannotRead(f"no {word} at character {self.at}")
        self.at += len(word)

    def skip_heredocs(self) -> None:
        for mark, tabs, quoted, inside in self.heredocs:
            lines = []
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end
                line = self.text[self.at : end]
                self.at = min(len(self.text), end + 1)
                if (line.lstrip("\t") if tabs else line) == mark:
                    break
                lines.append(line)
            if not quoted:
                inside.extend(type(self)("\n".join(lines), self.depth + 1).substitutions())
        self.heredocs = []

    def substitutions(self) -> list[Sequence]:
        """The commands inside a text that is otherwise no commands."""
        found: list[Sequence] = []
        while self.at < len(self.text):
            self.special(found) or self.skip()
        return found

    def skip(self) -> bool:
        self.at += 2 if self.text[self.at] == "\\" else 1
        return True

    def special(self, inside: list[Sequence]) -> bool:
        """Take what begins with $ or ` if something does; the commands in it go to inside."""
        text = self.text
        if text.startswith("$((", self.at):
            end = text.find("))", self.at)
            if end < 0 or "$(" in text[self.at + 3 : end] or "`" in text[self.at : end]:
                raise CannotRead("commands in arithmetic")
            self.at = end + 2
        elif text.startswith("$(", self.at):
            self.at += 2
            inside.append(self.nested(")"))
        elif text.startswith("${", self.at):
            self.at += 2
            self.braces(inside)
        elif text[self.at] == "`":
            end = self.at + 1
            while end < len(text) and text[end] != "`":
                end += 2 if text[end] == "\\" else 1
            inner = re.sub(r"\\([$`\\])", r"\1", text[self.at + 1 : end])
            self.at = end + 1
            inside.append(type(self)(inner, self.depth + 1).whole())
        elif text[self.at] == "$":
            self.at += 1 + (self.at + 1 < len(text) and text[self.at + 1] not in ENDS_WORD + "\"'\\")
        else:
            return False
        return True

    def nested(self, closing: str) -> Sequence:
        inner = type(self)(self.text, self.depth + 1)
        inner.at = self.at
        found = inner.sequence()
        if not self.text.startswith(closing, inner.at) or inner.heredocs:
            raise CannotRead(f"no {closing} at character {inner.at}")
        self.at = inner.at + 1
        return found

    def braces(self, inside: list[Sequence]) -> None:
        """The rest of ${…}."""
        text = self.text
        while self.at < len(text) and text[self.at] != "}":
            if text[self.at] == '"':
                self.double_quoted(inside)
            elif text[self.at] == "'" and text.find("'", self.at + 1) > 0:
                self.at = text.find("'", self.at + 1) + 1
            else:
                self.special(inside) or self.skip()
        self.at += 1

    def double_quoted(self, inside: list[Sequence]) -> tuple[str, bool]:
        """A text in double quotes, and whether it is as it stands."""
        text, at = self.text, self.at + 1
        self.at, plain = at, True
        while self.at < len(text) and text[self.at] != '"':
            if self.special(inside):
                plain = False
            else:
                self.skip()
        if self.at >= len(text):
            raise CannotRead("a quote that never ends")
        self.at += 1
        return re.sub(r"\\([$`\"\\\n])", r"\1", text[at : self.at - 1]), plain

    def word(self) -> Word:
        self.blank()
        text, start = self.text, self.at
        parts: list[str] = []
        inside: list[Sequence] = []
        plain = True
        while self.at < len(text) and text[self.at] not in ENDS_WORD:
            sign = text[self.at]
            if sign == "'":
                end = text.find("'", self.at + 1)
                if end < 0:
                    raise CannotRead("a quote that never ends")
                parts.append(text[self.at + 1 : end])
                self.at = end + 1
            elif sign == '"':
                part, as_is = self.double_quoted(inside)
                parts.append(part)
                plain = plain and as_is
            elif sign == "\\":
                parts.append(text[self.at + 1 : self.at + 2].strip("\n"))
                self.at += 2
            elif sign in "$`":
                plain = False
                self.special(inside)
            else:
                plain = plain and sign not in "*?"
                parts.append(sign)
                self.at += 1
        if self.at == start:
            raise CannotRead(f"no word at character {start}")
        if text.startswith("(", self.at) and ASSIGNMENT.fullmatch(text[start : self.at]):
            self.at += 1  # an array
            self.words_until_closed(inside)
        return Word(text[start : self.at], "".join(parts) if plain else None, inside)

    def words_until_closed(self, inside: list[Sequence]) -> None:
        self.newlines()
        while self.operator() != ")":
            inside.extend(self.word().inside)
            self.newlines()
        self.take(")")
