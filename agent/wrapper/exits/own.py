"""What the commands of a shell's own do, in a replay of its script."""

from __future__ import annotations

from agent.wrapper.exits.replay import CannotTell, Replay
from agent.wrapper.exits.state import ANY, BREAK, CONTINUE, EXIT, RETURN, RUN, SOME, Blame
from agent.wrapper.exits.words import OWN, QUIET, asks, number, program_of
from agent.wrapper.shell.reader import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.exits.programs import Programs
    from agent.wrapper.exits.replay import Results
    from agent.wrapper.exits.state import Call, Scope, State
    from agent.wrapper.exits.texts import Texts

FAILED_BEFORE = (1, 2, 126, 127)
"""Codes of a shell's child that could not become the program."""

UNTOLD = frozenset((b"ERR", b"DEBUG", b"RETURN"))
"""Signals whose traps may run anywhere."""


class OwnCommands(Replay):
    """Knows what they do, each by its name."""

    def __init__(self, texts: Texts, programs: Programs, *, in_process: bool, fatal: int) -> None:
        super().__init__(in_process=in_process)
        self.texts = texts
        self.programs = programs
        self.fatal = fatal
        """The code with which the shell ends at an error of its own."""
        self.kinds = {
            b"exit": self._exit, b"return": self._return, b"break": self._break, b"continue": self._break,
            b"set": self._set, b"shift": self._shift, b"trap": self._trap, b"eval": self._eval,
            b".": self._source, b"source": self._source, b"[": self._test, b"test": self._test,
            b"[[": self._test, b"((": self._test, b"false": self._false, b"alias": self._alias,
            b"wait": self._wait,
        }  # fmt: skip

    def _code(self, call: Call) -> State:
        """What `exit` and `return` say: a code of their own is due to what made them run."""
        if not call.words[1:]:
            return call.state
        saved = call.state.saved_in(call.words[1].raw)
        if saved:
            return call.state.ends(*saved)
        given = self.texts.given(call.words[1:2], call.state.arguments)
        code = number(given[0].raw) if given else None
        return call.state.ends(ANY if code is None else code, None if code == 0 else call.scope.cause)

    def _exit(self, call: Call) -> Results:
        return {(EXIT, self._code(call))}

    def _return(self, call: Call) -> Results:
        return {(RETURN, self._code(call))}

    def _break(self, call: Call) -> Results:
        if call.words[1:]:
            raise CannotTell
        return {(BREAK if call.words[0].value == b"break" else CONTINUE, call.state.ends(0))}

    def _false(self, call: Call) -> Results:
        return {(RUN, call.state.ends(1, call.scope.cause))}

    def _wait(self, call: Call) -> Results:
        return {(RUN, point.ends(status)) for point in self.skim(call.state) for status in (0, ANY)}

    def _test(self, call: Call) -> Results:
        question = asks(call.words)
        saved = call.state.saved_in(question[0]) if question else None
        if question and saved and saved[0] != ANY:
            holds = (saved[0] == 0) is question[1]
            return {(RUN, call.state.ends(int(not holds), saved[1]))}
        return self.own(call)

    def _alias(self, call: Call) -> Results:
        if any((word.value or b"").partition(b"=")[2] not in OWN | QUIET | {b""} for word in call.words[1:]):
            raise CannotTell
        return {(RUN, call.state.ends(0))}

    def _shift(self, call: Call) -> Results:
        count = number(call.words[1].raw) if call.words[1:] else 1
        known = call.state.arguments is not None and count is not None
        after = call.state._replace(arguments=(call.state.arguments or ())[count:] if known else None)
        return {(RUN, after.ends(0)), (EXIT, call.state.ends(self.fatal, call.scope.cause))}

    def _set(self, call: Call) -> Results:
        after, at = call.state.ends(0), 1
        while at < len(call.words):
            word = call.words[at].value
            at += 1
            if word is None or word in (b"--", b"-") or word[:1] not in (b"-", b"+"):
                rest = call.words[at:] if word in (b"--", b"-") else call.words[at - 1 :]
                return {(RUN, after._replace(arguments=self.texts.given(rest, call.state.arguments)))}
            on, names = word[:1] == b"-", b""
            if b"o" in word[1:] and at < len(call.words):
                names = call.words[at].value or b""
                at += 1
            if b"e" in word[1:] or names == b"errexit":
                after = after._replace(errexit=on)
            if names == b"pipefail":
                after = after._replace(pipefail=on)
        return {
            (RUN, after),
            *({(RUN, call.state.ends(SOME))} if b"pipefail" in (word.value for word in call.words) else ()),
        }

    def _trap(self, call: Call) -> Results:
        operands = [word for word in call.words[1:] if word.value != b"--"]
        signals = {(word.value or b"ERR").upper().removeprefix(b"SIG") for word in operands[1:]}
        if not operands or (operands[0].raw.startswith(b"-") and operands[0].value != b"-"):
            return {(RUN, call.state.ends(0))}
        body = None if operands[0].value in (b"", b"-") else operands[0]
        if body and UNTOLD & signals:
            raise CannotTell
        return {(RUN, (call.state._replace(trap=body) if signals & {b"EXIT", b"0"} else call.state).ends(0))}

    def _eval(self, call: Call) -> Results:
        if all(word.value is not None for word in call.words[1:]):
            return self.run_text(
                b" ".join(word.value or b"" for word in call.words[1:]), call.state, call.scope
            )
        first = call.words[1].raw.lstrip(b'"')
        if call.words[1].value == b"set":
            return {(RUN, call.state._replace(arguments=None).ends(0))}
        if b"$(" in first or b"`" in first or b"=" not in first.partition(b" ")[0]:
            raise CannotTell
        return {(RUN, call.state.ends(0)), (RUN, call.state.ends(SOME))}

    def run_text(self, text: bytes, state: State, scope: Scope) -> Results:
        script = read(text)
        if script.odd:
            raise CannotTell
        return self.sequence(script.body, state, scope)

    def _source(self, call: Call) -> Results:
        script = self.texts.sourced(call.words[1].value if call.words[1:] else None)
        if script is None:
            raise CannotTell
        ways = self.sequence(script.body, call.state.ends(0), call.scope)
        failed = {(EXIT, call.state.ends(self.fatal, call.scope.cause)), (RUN, call.state.ends(SOME))}
        return {(RUN if kind == RETURN else kind, point) for kind, point in ways} | failed

    def own(self, call: Call) -> Results:
        """The shell does it, or in some shells a program."""
        failed = call.state.ends(SOME, call.scope.cause if call.scope.ending else None)
        return {(RUN, call.state.ends(0)), (RUN, failed)} | self.program(call)

    def program(self, call: Call) -> Results:
        """One child, which is the program, or could not become it."""
        found: Results = set()
        for point in self.skim(call.state):
            if point.at < len(self.children):
                child = self.children[point.at]
                if not child.forked and self.programs.may_run(call.words[0], child.name):
                    found.add(
                        (RUN, point.takes(child, Blame(child, program_of(call.words[0]), call.words[0].line)))
                    )
                elif child.forked and not child.children and child.status in FAILED_BEFORE:
                    found.add((RUN, point.takes(child, None)))
        return found
