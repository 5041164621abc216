"""A shell script's compound commands: blocks, conditions, loops and functions."""

from __future__ import annotations

from agent.wrapper.shell.expansions import Odd
from agent.wrapper.shell.syntax import Case, Command, Function, Group, If, Loop, Sequence, Word
from agent.wrapper.shell.words import Words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.wrapper.shell.syntax import Node

COMPOUND = frozenset((b"{", b"if", b"while", b"until", b"for", b"select", b"case", b"function"))
CASE_ENDS = (b";;&", b";;", b";&")


class Compounds(Words):
    """Knows what a compound command consists of, and leaves what is in it to others."""

    def command(self) -> Node:
        """One command, of whatever kind."""
        raise NotImplementedError

    def compound(self, word: bytes) -> Node:
        """A compound command that begins with this word, or with a parenthesis; and its redirections."""
        kinds: dict[bytes, Callable[[], Group | If | Loop | Case | Function]] = {
            b"{": self._braces, b"if": self._if, b"while": self._while, b"until": self._while,
            b"for": self._for, b"select": self._for, b"case": self._case, b"function": self._function,
        }  # fmt: skip
        node = kinds.get(word, self._subshell)()
        redirected = self.begin()
        self.redirections(redirected)
        if redirected.redirections:
            node.redirected = self.add(redirected)
        return node

    def begin(self, word: bytes = b"") -> Command:
        """A command that begins here; over the reserved word that it begins with."""
        self.blanks()
        command = Command(self.line())
        if word:
            command.words.append(self.plain(word))
            self.at += len(word)
        return command

    def add(self, command: Command) -> Command:
        """The command is read."""
        command.end = max(command.end, self.line())
        self.script.commands.append(command)
        return command

    def redirections(self, command: Command) -> None:
        self.blanks()
        while self.redirection(command):
            self.blanks()

    def test(self) -> Command | None:
        """((…)) or [[ … ]], and its redirections; None if (( is not that."""
        outside, self.inside = self.inside, []
        command, start = Command(self.line()), self.at
        if self.here(b"[[") or self.arithmetic():
            command.words.append(self.plain(self.text[start : start + 2]))
            if self.here(b"[["):
                self._conditional()
            self._rest(command, start + 2)
        self.inside = outside
        if not command.words:
            return None
        self.redirections(command)
        return self.add(command)

    def _rest(self, command: Command, start: int) -> None:
        """What was read since then is the command's only further word."""
        inside, self.inside = self.inside, []
        command.words.append(Word(self.text[start : self.at], None, command.line, inside))

    def _conditional(self) -> None:
        start = self.at
        self.at += 2
        while not (self.here(b"]]") and self.text[self.at - 1] in b" \t\n"):
            if self.here(b"-o ") or self.here(b"-v "):
                end = self.end_of_name(self.at + 3)
                self.uses(self.text[self.at + 3 : end])
                self.at = end
            else:
                self.piece()
        self.at += 2
        if set(self.text[start : self.at]) & set(b"&|<>()"):
            self.bashism()

    def _keyword(self, word: bytes) -> None:
        self.lines()
        if self.peek() != word:
            raise Odd
        self.at += len(word)

    def _block(self, opens: bytes, closes: bytes) -> Sequence:
        self._keyword(opens)
        body = self.sequence()
        self._keyword(closes)
        return body

    def _braces(self) -> Group:
        return Group(self._block(b"{", b"}"), apart=False)

    def _subshell(self) -> Group:
        line, begin = self.line(), len(self.script.commands)
        self.at += 1
        body = self.sequence()
        if not self.here(b")"):
            raise Odd
        self.script.subshells.append((line, self.line()))
        self.at += 1
        for command in self.script.commands[begin:]:
            command.apart = True
        return Group(body, apart=True)

    def _if(self) -> If:
        clauses: list[tuple[Sequence, Sequence]] = []
        while not clauses or self.peek() == b"elif":
            self.at += len(self.peek())
            condition = self.sequence()
            self._keyword(b"then")
            clauses.append((condition, self.sequence()))
        otherwise = None
        if self.peek() == b"else":
            self.at += len(b"else")
            otherwise = self.sequence()
        self._keyword(b"fi")
        return If(clauses, otherwise)

    def _while(self) -> Loop:
        until = self.peek() == b"until"
        self.at += len(b"while")
        condition = self.sequence()
        return Loop(None, condition, self._block(b"do", b"done"), until=until)

    def _for(self) -> Loop:
        head = self.begin(self.peek())
        self.blanks()
        start = self.at
        if self.here(b"((") and self.arithmetic():
            self._rest(head, start)
        else:
            head.words.append(self.word())
            self._words(head)
        self.script.commands.append(head)
        if self.here(b";"):
            self.at += 1
        self.lines()
        body = self._block(b"{", b"}") if self.peek() == b"{" else self._block(b"do", b"done")
        return Loop(head, Sequence(), body, until=False)

    def _words(self, head: Command) -> None:
        """`in` and the words that a loop goes over, if they stand here."""
        head.end = self.line()
        self.lines()
        if self.peek() != b"in":
            return
        head.words.append(self.plain(b"in"))
        self.at += 2
        self.blanks()
        while self.char() not in (b"", b"\n", b";"):
            head.words.append(self.word())
            head.end = self.line()
            self.blanks()

    def _case(self) -> Case:
        head = self.begin(b"case")
        self.blanks()
        head.words.append(self.word())
        self.add(head)
        bodies: list[Sequence] = []
        self._keyword(b"in")
        self.lines()
        while self.peek() != b"esac":
            self._pattern(head.words[-1])
            bodies.append(self.sequence())
            sign = self.case_end()
            if sign in (b";&", b";;&"):
                self.bashism()
            self.at += len(sign)
            self.lines()
            if not sign and self.peek() != b"esac":
                raise Odd
        self.at += len(b"esac")
        return Case(head, bodies)

    def case_end(self) -> bytes:
        """The sign that stands here and ends one of a `case`'s bodies, if one does."""
        return next(filter(self.here, CASE_ENDS), b"") if self.char() == b";" else b""

    def _pattern(self, word: Word) -> None:
        """Over `pattern)` to where its commands begin; what is in it goes to the case's word."""
        if self.here(b"("):
            self.at += 1
            self.blanks()
        while not self.here(b")"):
            if self.here(b"|"):
                self.at += 1
            else:
                word.inside += self.word().inside
            self.blanks()
        self.at += 1

    def _function(self) -> Function:
        line = self.line()
        self.at += len(b"function")
        self.blanks()
        name = self.word().raw
        self.blanks()
        if self.here(b"("):
            self.empty_parentheses()
        return self.defined(name, line)

    def empty_parentheses(self) -> None:
        self.at += 1
        self.blanks()
        if not self.here(b")"):
            raise Odd
        self.at += 1

    def defined(self, name: bytes, line: int) -> Function:
        """A function whose name was read; the command that follows is its body."""
        function = self.script.functions[name] = Function(name, line)
        begin = len(self.script.commands)
        self.lines()
        function.body = self.command()
        function.end = self.line()
        for command in self.script.commands[begin:]:
            command.function = command.function or function
        return function
