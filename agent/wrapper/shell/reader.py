"""A shell script's text as commands. bash's language is read, which holds that of sh.

Comments, quotes, here-documents and substitutions are told apart as bash does it, in linear time.
"""

from __future__ import annotations

from agent.wrapper.shell.compounds import COMPOUND, Compounds
from agent.wrapper.shell.expansions import MAX_DEPTH, Odd
from agent.wrapper.shell.syntax import Chain, Pipeline, Script, Sequence, assigned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.shell.syntax import Node

CLOSES = frozenset((b"then", b"elif", b"else", b"fi", b"do", b"done", b"esac", b"}"))
BASHISMS = frozenset((b"function", b"select", b"coproc"))


def read(text: bytes, line: int = 1) -> Script:
    """What a script's text says, whose first line has that number."""
    script = Script()
    reader = _Reader(text, script, line)
    try:
        script.body = reader.sequence()
        if reader.at < len(text):
            script.odd = reader.line()
    except (Odd, RecursionError):
        script.odd = reader.line()
    return script


class _Reader(Compounds):
    """Knows how commands are joined."""

    def sequence(self) -> Sequence:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Odd
        found = Sequence()
        self.script.sequences.append(found)
        separated = True
        while True:
            self.blanks()
            if self.here(b"\n"):
                self.newline()
                separated = True
                continue
            if self.char() in (b"", b")") or self.case_end() or self.peek() in CLOSES:
                self.depth -= 1
                return found
            if not separated:
                raise Odd
            begin = len(self.script.commands)
            found.chains.append(self._chain())
            self.blanks()
            separated = self.char() in (b";", b"&") and not self.case_end()
            if separated and self.here(b"&"):
                found.chains[-1].background = True
                for command in self.script.commands[begin:]:
                    command.background = True
            self.at += separated

    def _chain(self) -> Chain:
        chain = Chain(self._pipeline())
        while True:
            self.blanks()
            sign = self.text[self.at : self.at + 2]
            if sign not in (b"&&", b"||"):
                return chain
            self.at += 2
            self.lines()
            chain.parts.append((sign, self._pipeline()))

    def _pipeline(self) -> Pipeline:
        negated = False
        while (word := self.peek()) in (b"!", b"time"):
            negated ^= word == b"!"
            self.at += len(word)
            self.blanks()
            if word == b"time" and self.peek() == b"-p":
                self.at += 2
                self.blanks()
        begin = len(self.script.commands)
        commands = [self.command()]
        self.blanks()
        while self.here(b"|") and not self.here(b"||"):
            self.at += 1
            if self.here(b"&"):
                self.bashism()
                self.at += 1
            self.lines()
            commands.append(self.command())
            self.blanks()
        if len(commands) > 1:
            for command in self.script.commands[begin:]:
                command.apart = True
        return Pipeline(commands, negated=negated)

    def command(self) -> Node:
        self.blanks()
        word = self.peek()
        if word in BASHISMS or self.here(b"(("):
            self.bashism()
        if word == b"coproc":
            self._coproc_name()
            return self.command()
        if (word == b"[[" or self.here(b"((")) and (test := self.test()):
            return test
        return self.compound(word) if word in COMPOUND or self.here(b"(") else self._simple()

    def _coproc_name(self) -> None:
        """Over `coproc [NAME]`; only before a compound command there is a name."""
        self.script.variables.setdefault(b"COPROC", self.line())
        self.at += len(b"coproc")
        self.blanks()
        at = self.at
        self.at += len(self.peek())
        self.blanks()
        if not self.here(b"(") and self.peek() not in COMPOUND:
            self.at = at

    def _simple(self) -> Node:
        command = self.begin()
        while True:
            self.blanks()
            if self.redirection(command):
                continue
            if self.here(b"(") and len(command.words) == 1 and not command.redirections:
                self.empty_parentheses()
                return self.defined(command.words[0].raw, command.line)
            if self.char() in (b"", b"\n", b";", b"&", b"|", b"(", b")"):
                break
            word = self.word()
            command.words.append(word)
            name = assigned(word.raw)
            if name and command.first == len(command.words) - 1:
                command.first += 1
                self.script.variables.setdefault(name, word.line)
        if not command.words and not command.redirections:
            raise Odd
        return self.add(command)
