"""The commands of a shell script, as far as it takes to know what follows when one of them fails."""

from __future__ import annotations

import re

from agent.wrapper.exits.syntax import (
    Case,
    Chain,
    Function,
    Group,
    If,
    Loop,
    Opaque,
    Pipeline,
    Sequence,
    Simple,
)
from agent.wrapper.exits.words import ASSIGNMENT, REDIRECTIONS, CannotRead, Words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.exits.syntax import Command, Word

CLOSING = frozenset(("then", "do", "done", "fi", "else", "elif", "esac", "}"))
CASE_ENDS = (";;", ";&", ";;&")


def read(text: str) -> Sequence:
    """The script's commands. CannotRead where there is something unknown in it."""
    return _Grammar(text, 0).whole()


class _Grammar(Words):
    """Reads commands."""

    def sequence(self) -> Sequence:
        chains: list[Chain] = []
        while True:
            self.newlines()
            ends = self.operator() in (")", *CASE_ENDS) or self.peek() in CLOSING
            if ends or self.at >= len(self.text):
                return Sequence(chains)
            chains.append(self.chain())
            sign = self.operator()
            if sign == "&":
                chains[-1].background = True
            if sign in ("&", ";", "\n"):
                self.take(sign)

    def chain(self) -> Chain:
        first, rest = self.pipeline(), []
        while (sign := self.operator()) in ("&&", "||"):
            self.take(sign)
            self.newlines()
            rest.append((sign, self.pipeline()))
        return Chain(first, rest)

    def pipeline(self) -> Pipeline:
        negated = False
        while self.peek() in ("!", "time"):
            negated ^= self.peek() == "!"
            self.at += len(self.peek())
        commands = [self.command()]
        while self.operator() == "|":
            self.take("|")
            if self.text.startswith("&", self.at):
                self.at += 1
            self.newlines()
            commands.append(self.command())
        return Pipeline(commands, negated=negated)

    def command(self) -> Command:
        if self.text.startswith("((", self.at):
            raise CannotRead("(( is arithmetic to some shells, and subshells to others")
        if self.operator() == "(":
            self.take("(")
            return self.closed(Group(self.nested(")"), apart=True))
        word = self.peek()
        if word == "[[":
            return self.condition()
        compound = {
            "{": self.braced, "if": self.if_, "while": self.while_, "until": self.while_,
            "for": self.for_, "select": self.for_, "case": self.case, "function": self.function,
        }.get(word)  # fmt: skip
        if compound:
            self.at += len(word)
            return self.closed(compound())
        return self.simple()

    def closed(self, command: Command) -> Command:
        """A compound command with its redirections."""
        inside: list[Word] = []
        while self.redirection(inside):
            pass
        if any(word.inside for word in inside):
            raise CannotRead("commands in a redirection")
        return command

    def condition(self) -> Command:
        end = self.text.find("]]", self.at)
        if end < 0 or any(sign in self.text[self.at + 2 : end] for sign in ("$(", "`")):
            raise CannotRead("commands in a condition")
        self.at = end + len("]]")
        return self.closed(Opaque())

    def braced(self) -> Command:
        body = self.sequence()
        self.keyword("}")
        return Group(body, apart=False)

    def if_(self) -> Command:
        clauses = []
        otherwise = None
        while True:
            condition = self.sequence()
            self.keyword("then")
            clauses.append((condition, self.sequence()))
            if self.peek() != "elif":
                break
            self.keyword("elif")
        if self.peek() == "else":
            self.keyword("else")
            otherwise = self.sequence()
        self.keyword("fi")
        return If(clauses, otherwise)

    def while_(self) -> Command:
        condition = self.sequence()
        return Loop(condition, self.looped(), [])

    def for_(self) -> Command:
        self.word()
        words: list[Word] = []
        self.newlines()
        if self.peek() == "in":
            self.keyword("in")
            while self.operator() not in (";", "\n"):
                words.append(self.word())
        if self.operator() == ";":
            self.take(";")
        return Loop(None, self.looped(), words)

    def looped(self) -> Sequence:
        self.keyword("do")
        body = self.sequence()
        self.keyword("done")
        return body

    def case(self) -> Command:
        word, bodies = self.word(), []
        self.keyword("in")
        self.newlines()
        while self.peek() != "esac":
            if self.operator() == "(":
                self.take("(")
            word.inside.extend(self.word().inside)
            while self.operator() == "|":
                self.take("|")
                word.inside.extend(self.word().inside)
            self.take(")")
            bodies.append(self.sequence())
            if self.operator() in CASE_ENDS:
                self.take(self.operator())
            self.newlines()
        self.keyword("esac")
        return Case(word, bodies)

    def function(self) -> Command:
        name = self.word().raw
        if self.operator() == "(":
            self.take("(")
            self.take(")")
        self.newlines()
        return Function(name, self.command())

    def simple(self) -> Command:
        assigned: list[Word] = []
        words: list[Word] = []
        redirected: list[Word] = []
        while True:
            if self.redirection(redirected):
                continue
            sign = self.operator()
            if sign == "(" and len(words) == 1 and not assigned and not redirected:
                self.take("(")
                self.take(")")
                self.newlines()
                return Function(words[0].raw, self.command())
            if sign or self.at >= len(self.text):
                break
            word = self.word()
            (assigned if not words and ASSIGNMENT.match(word.raw) else words).append(word)
        if not (assigned or words or redirected):
            raise CannotRead(f"no command at character {self.at}")
        return Simple(assigned, words, redirected)

    def redirection(self, words: list[Word]) -> bool:
        """Take one, if there is one; its word goes to words."""
        self.blank()
        number = re.compile(r"(?:\d+|\{\w+\})(?=[<>])|&(?=>)").match(self.text, self.at)
        if number:
            self.at = number.end()
        sign = self.operator()
        if sign not in REDIRECTIONS or self.text.startswith(("<(", ">("), self.at):
            if sign in ("<", ">"):
                raise CannotRead("a process substitution")
            return False
        self.take(sign)
        word = self.word()
        if sign in ("<<", "<<-"):
            quoted = any(mark in word.raw for mark in "'\"\\")
            mark = re.sub(r"['\"\\]", "", word.raw)
            self.heredocs.append((mark, sign == "<<-", quoted, word.inside))
        words.append(word)
        return True
