"""A bash script's text as commands: each with its words, its lines, and the function that it stands in.

Comments, quotes, here-documents and substitutions are told apart as bash does it, in linear time. Where the
text ends in the middle of something, `Script.odd` names the line: from there on nothing is certain.
"""

from __future__ import annotations

from agent.wrapper.failure.expansions import NAME, Odd
from agent.wrapper.failure.syntax import Command, Function, Script, Word
from agent.wrapper.failure.words import Words, assigned

BEFORE = frozenset((b"then", b"elif", b"else", b"do", b"!", b"time", b"coproc"))
"""Reserved words after which a command begins."""

OPENS = frozenset((b"if", b"while", b"until", b"for", b"select", b"case", b"{"))
CLOSES = frozenset((b"fi", b"done", b"esac", b"}"))
CONDITIONS = frozenset((b"if", b"while", b"until"))
HEADS = frozenset((b"for", b"select", b"case"))
TELLS = (b"echo", b"printf")
"""Commands that do not fail, so that what stands after their `&&` runs."""

CONDITIONAL = frozenset((b"&&", b"||", b"|", b"|&"))


def read(text: bytes, line: int = 1) -> Script:
    """Every command of a script's text, whose first line has that number."""
    script = Script()
    lexer = Lexer(text, script, line)
    try:
        lexer.commands(b"")
    except Odd:
        script.odd = lexer.line
    return script


class Lexer(Words):
    """Owns the place in the text, and what is open there."""

    def __init__(self, text: bytes, script: Script, line: int = 1) -> None:
        super().__init__(text, script.variables, line)
        self.script = script
        self.open: list[tuple[bytes, Function | None, int]] = []
        """Each compound command, and the function and the block around it."""
        self.block = self._blocks = 0
        self.function: Function | None = None
        self._defined: Function | None = None
        self._told = False

    def commands(self, end: bytes) -> None:
        """Commands up to the closing `)` or backquote, or to the end of the text."""
        outer, self.open = self.open, []
        block = self._new_block()
        starts, after = True, b""
        while True:
            self.skip_blanks()
            char = self.text[self.at : self.at + 1]
            if char == end:
                break
            if not char or char == b")":
                raise Odd
            if char in b"\n;&|" and not self.text.startswith(b"&>", self.at):
                starts, after = True, self._separator(after if starts else b"")
            elif char == b"(":
                starts = self._parenthesis(after)
            elif starts or self.peek() in BEFORE or self.peek() in CLOSES:
                starts, after = self._command(after)
            else:
                self._loose()
        if self.open:
            raise Odd
        self.at += len(end)
        self.open, self.block = outer, block

    def substitution(self, end: bytes) -> None:
        """What stands in $(…), <(…) or backquotes."""
        self.depth += 1
        if self.depth > self.MAX_DEPTH:
            raise Odd
        function, heredocs = self.function, self.heredocs
        self.heredocs = []
        self.commands(end)
        self.function, self.heredocs = function, heredocs
        self.depth -= 1

    def _separator(self, before: bytes) -> bytes:
        """One newline or operator; what the next command comes after."""
        if self.text.startswith(b"\n", self.at):
            self.newline()
            return before
        size = 3 if self.text.startswith(b";;&", self.at) else 2
        operator = self.text[self.at : self.at + size]
        if operator not in (b";;", b";&", b";;&", b"&&", b"||", b"|&"):
            operator = operator[:1]
        self.at += len(operator)
        if operator == b"&" and self.script.commands:
            self.script.commands[-1].background = True
        if operator in (b";;", b";&", b";;&"):
            self._pattern()
        return operator if operator in CONDITIONAL else b""

    def _parenthesis(self, after: bytes) -> bool:
        """A subshell, or ((…)); whether a command begins after it."""
        line = self.line
        if self.text.startswith(b"((", self.at) and self.arithmetic():
            self._add(self._new(line, after, b"(("))
            return False
        function = self.function
        self._enter_body()
        self.at += 1
        heredocs, self.heredocs = self.heredocs, []
        self.commands(b")")
        self.heredocs = heredocs
        self.function = function
        self.script.subshells.append((line, self.line))
        self._last(None)
        return False

    def _enter_body(self) -> None:
        """A compound command begins: the body of the function whose name was just read, if one was."""
        self.function, self._defined = self._defined or self.function, None

    def _command(self, after: bytes) -> tuple[bool, bytes]:
        """One command, or a reserved word; whether a command begins after it, and after what."""
        word = self.peek()
        if word in BEFORE:
            self.at += len(word)
            if word not in (b"!", b"time", b"coproc"):
                self._new_block()
            if word == b"coproc":
                self._coproc_name()
            return True, (after if word in (b"!", b"time") else b"")
        if word in OPENS:
            self._opens(word, after)
            return True, b""
        if word in CLOSES:
            self.at += len(word)
            self._closes()
            return False, b""
        if word == b"[[":
            command = self._new(self.line, after, b"[[")
            start = self.at
            self.conditional()
            command.words.append(Word(self.text[start + 2 : self.at], None, command.line))
            command.end = self.line
            self._add(command)
            return False, b""
        if self._defines(word):
            return True, b""
        self._simple(after)
        return False, b""

    def _coproc_name(self) -> None:
        """`coproc NAME {`: over the name, which only a compound command has."""
        self.script.variables.setdefault(b"COPROC", self.line)
        self.skip_blanks()
        at, line, name = self.at, self.line, self.peek()
        self.at += len(name)
        self.skip_blanks()
        if name in OPENS or not (self.peek() in OPENS or self.text.startswith(b"(", self.at)):
            self.at, self.line = at, line

    def _opens(self, word: bytes, after: bytes) -> None:
        line = self.line
        self.at += len(word)
        block = self.block if word in CONDITIONS else self._new_block()  # a condition always runs next
        self.open.append((word, self.function, block))
        self._enter_body()
        if word in HEADS:
            command = self._new(line, after, word)
            self.skip_blanks()
            if self.text.startswith(b"((", self.at):
                self.arithmetic()
                self.skip_blanks()
            while (char := self.text[self.at : self.at + 1]) not in (b"", b"\n", b";", b"(", b")"):
                if char in b"&|<>":
                    raise Odd
                command.words.append(self.word())
                self.skip_blanks()
                if word == b"case" and command.words[-1].raw == b"in":
                    break
            self._add(command)
            if word == b"case":
                self._pattern()

    def _pattern(self) -> None:
        """Over `pattern)` to where its commands begin; or to `esac`."""
        self._new_block()
        if not self.open or self.open[-1][0] != b"case":
            raise Odd
        self.skip_lines()
        if self.peek() in (b"in", b"esac"):
            if self.peek() == b"esac":
                return
            self.at += 2
            self.skip_lines()
            if self.peek() == b"esac":
                return
        if self.text.startswith(b"(", self.at):
            self.at += 1
        while not self.text.startswith(b")", self.at):
            self.skip_blanks()
            char = self.text[self.at : self.at + 1]
            if char in (b"", b"\n", b";", b"&", b"<", b">", b"("):
                raise Odd
            if char == b"|":
                self.at += 1
            elif char != b")":
                self.word()
        self.at += 1

    def _closes(self) -> None:
        if not self.open:
            raise Odd
        _, outer, self.block = self.open.pop()
        if self.function is not outer and self.function is not None:
            self.function.end = self.line
        self.function = outer
        self._last(None)

    def _new_block(self) -> int:
        """Begin a block; the number of the one before."""
        before = self.block
        self._blocks += 1
        self.block = self._blocks
        return before

    def _last(self, command: Command | None) -> None:
        """Note what a body ends with as far as is known; of what stands deeper, nothing."""
        if self.function is not None and self.depth == 0:
            direct = bool(self.open) and self.open[-1][0] == b"{" and self.open[-1][1] is not self.function
            self.function.last = command if direct else None

    def _defines(self, word: bytes) -> bool:
        """`name()` or `function name`: the compound command after it is its body."""
        start = self.at
        line = self.line
        if word == b"function":
            self.at += len(word)
            self.skip_blanks()
            name = self.word().raw
        else:
            while self.at < len(self.text) and self.text[self.at] not in b" \t\n;&|()<>$`'\"\\=#{}":
                self.at += 1
            name = self.text[start : self.at]
        at, behind = self.at, self.line
        if not self.empty_parentheses():
            self.at, self.line = at, behind
            if word != b"function":
                self.at, self.line = start, line
                return False
        self.skip_lines()
        self._defined = self.script.functions[name] = Function(name, line)
        return True

    def _simple(self, after: bytes) -> None:
        command = self._new(self.line, after)
        while True:
            self.skip_blanks()
            if self._redirection(command):
                continue
            char = self.text[self.at : self.at + 1]
            if char in (b"", b"\n", b";", b"&", b"|", b"(", b")") or (char == b"`" and self.closing == b"`"):
                break
            word = self.word()
            command.words.append(word)
            name = assigned(word.raw)
            if name and command.first == len(command.words) - 1:
                command.first += 1
                self.variables.setdefault(name, word.line)
        if not command.words and not command.redirections:
            raise Odd
        command.end = self.line
        self._add(command)

    def _loose(self) -> None:
        """Redirections after a compound command, and reserved words such as `then` on one line with it."""
        command = self._new(self.line, b"")
        if self._redirection(command):
            self.script.commands.append(command)
        elif not self.text.startswith(b"`", self.at) or self.closing != b"`":
            self.word()
        else:
            raise Odd

    def _redirection(self, command: Command) -> bool:
        """One redirection, if that is what stands here."""
        start = at = self.at
        if self.text.startswith(b"{", at):
            at += 1
            while at < len(self.text) and self.text[at] in NAME:
                at += 1
            at = at + 1 if self.text.startswith(b"}", at) else start
        else:
            while self.text[at : at + 1].isdigit():
                at += 1
        operator = self.operator(at)
        if not operator:
            return False
        if operator in (b"<", b">") and at == start and self.text.startswith(b"(", at + 1):
            return False  # a process substitution: part of a word
        self.at = at + len(operator)
        self.skip_blanks()
        target = self.word()
        command.redirections.append((self.text[start:at], operator, target))
        if operator in (b"<<", b"<<-"):
            self.heredocs.append((command, target, operator == b"<<-"))
        return True

    def _new(self, line: int, after: bytes, word: bytes = b"") -> Command:
        command = Command(line, after, self.function, self.block, inner=self.depth > 0)
        if word:
            command.words.append(self.plain(word, line))
        return command

    def _add(self, command: Command) -> None:
        self.script.commands.append(command)
        certain = command.after not in CONDITIONAL or (command.after == b"&&" and self._told)
        self._last(command if certain else None)
        self._told = command.name() in TELLS
