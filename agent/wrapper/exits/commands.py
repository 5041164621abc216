"""What a simple command of a shell script may do, in a replay of it."""

from __future__ import annotations

from agent.wrapper.exits.replay import CannotTell, Replay
from agent.wrapper.exits.state import (
    ANY,
    BREAK,
    CONTINUE,
    EXIT,
    RETURN,
    RUN,
    SOME,
    Blame,
    Call,
    Scope,
    agrees,
)
from agent.wrapper.exits.words import OWN, PREFIXES, QUIET, asks, base, number, program_of
from agent.wrapper.shell.reader import read
from agent.wrapper.shell.syntax import assigned, within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.exits.programs import Programs
    from agent.wrapper.exits.replay import Results
    from agent.wrapper.exits.state import State
    from agent.wrapper.exits.texts import Texts
    from agent.wrapper.shell.syntax import Command, Node, Part, Word

MAX_CALLS = 30
FAILED_BEFORE = (1, 2, 126, 127)
"""Codes of a shell's child that could not become the program."""

SPECIAL = frozenset(b": . break continue eval exec exit export readonly return set shift trap unset".split())
"""Commands of the shell's own where an error ends the script."""

UNTOLD = frozenset((b"ERR", b"DEBUG", b"RETURN"))


class Commands(Replay):
    """Knows what commands do."""

    def __init__(self, texts: Texts, programs: Programs, *, in_process: bool, fatal: int) -> None:
        super().__init__(in_process=in_process)
        self._fatal = fatal
        """The code with which the shell ends at an error of its own."""
        self._texts = texts
        self._programs = programs
        self._looking: set[bytes] = set()
        self._kinds = {
            b"exit": self._exit, b"return": self._return, b"break": self._break, b"continue": self._break,
            b"set": self._set, b"shift": self._shift, b"trap": self._trap, b"eval": self._eval,
            b".": self._source, b"source": self._source, b"[": self._test, b"test": self._test,
            b"[[": self._test, b"((": self._test, b"false": self._false, b"alias": self._alias,
            b"wait": self._wait,
        }  # fmt: skip

    def simple(self, command: Command, state: State, scope: Scope) -> Results:
        ready, found = self.prepared(command, state, scope)
        for point in ready:
            words = command.words[command.first :]
            if words:
                found |= self.run(Call(words, point.ends(state.status, state.blame), scope))
            else:
                found.add((RUN, self._assigned(command.words, state, point, scope)))
        return found

    def prepared(self, command: Command, state: State, scope: Scope) -> tuple[set[State], Results]:
        ready: set[State] = {state}
        targets = {target for _, _, target in command.redirections}  # bash has a child look into these
        for word in command.parts():
            for inside in word.inside:
                before, untested = ready, scope._replace(tested=False)
                if inside.beside:
                    ready = {point._replace(beside=(*point.beside, inside)) for point in before}
                    continue
                ready = {after for point in before for _, after in self.apart(inside, point, untested)}
                ready |= before if inside.optional or word in targets else set()
        failed: Results = set()
        if any(self._texts.may_be_unset(word.raw) for word in command.parts()):
            failed |= {(EXIT, point.ends(self._fatal, scope.cause)) for point in ready}
        if any(map(_may_fail, command.redirections)):
            failed |= {(RUN, point.ends(SOME)) for point in ready}
            if command.name() in SPECIAL:
                failed |= {(EXIT, point.ends(self._fatal, scope.cause)) for point in ready}
        return ready, failed

    def _assigned(self, words: list[Word], before: State, state: State, scope: Scope) -> State:
        """After assignments. The code is that of the last substitution in them."""
        after = state if any(word.inside for word in words) else state.ends(0)
        for word in words:
            name, raw = assigned(word.raw), word.raw.partition(b"=")[2]
            if name in self._texts.codes:
                code = number(raw)
                saved = (code, scope.cause if code else None) if code is not None else before.saved_in(raw)
                after = after.saves(name, *(saved or (None, None)))
        return after

    def run(self, call: Call) -> Results:
        """What these words do, of which the first is a command's name."""
        name = call.words[0].value
        if name is None:
            return self._computed(call)
        if name in PREFIXES:
            return self._prefixed(call)
        if name in self._texts.functions:
            return self._function(name, call) | self._program(call)
        if name in self._kinds:
            return self._kinds[name](call)
        if name in QUIET:
            return {(RUN, self._assigned(call.words[1:], call.state, call.state.ends(0), call.scope).ends(0))}
        if name in OWN:
            return self._own(call)
        found = self._program(call)
        return found if self._programs.is_there(call.words[0]) else {(RUN, call.state.ends(127))} | found

    def _own(self, call: Call) -> Results:
        """The shell does it, or in some shells a program."""
        failed = call.state.ends(SOME, call.scope.cause if call.scope.ending else None)
        return {(RUN, call.state.ends(0)), (RUN, failed)} | self._program(call)

    def _program(self, call: Call) -> Results:
        """One child, which is the program, or could not become it."""
        found: Results = set()
        for point in self.skim(call.state):
            if point.at < len(self.children):
                child = self.children[point.at]
                if not child.forked and self._programs.may_run(call.words[0], child.name):
                    found.add(
                        (RUN, point.takes(child, Blame(child, program_of(call.words[0]), call.words[0].line)))
                    )
                elif child.forked and not child.children and child.status in FAILED_BEFORE:
                    found.add((RUN, point.takes(child, None)))
        return found

    def _computed(self, call: Call) -> Results:
        """A command whose name the shell computes."""
        given = self._texts.expanded(call.words[0], call.state.arguments)
        if given is None:
            return self._unknown(call)
        found: Results = set()
        for each in given:
            rest = [*each, *call.words[1:]]
            found |= self.run(call.but(rest)) if rest else {(RUN, call.state.ends(0))}
        return found

    def _unknown(self, call: Call) -> Results:
        """Any program, command of the shell's own, or function that the text passes on; or nothing."""
        if call.words[0].raw.startswith(b'"') and b" " in call.words[0].raw.partition(b"$(")[0]:
            return {(RUN, call.state.ends(127))}  # a text that a program was to read
        found: Results = {(RUN, call.state.ends(0)), (RUN, call.state.ends(ANY))} | self._program(call)
        if base(call.words[0].raw) != call.words[0].raw:
            return found  # a path
        for name in self._texts.passed_functions():
            found |= self._function(name, call.but([]))
        if call.words[1:] and call.words[1].value != call.words[0].value:
            found |= self.run(call.but(call.words[1:]))
        return found

    def _prefixed(self, call: Call) -> Results:
        name, rest = call.words[0].value, call.words[1:]
        if rest and rest[0].raw.startswith(b"-"):
            return self._own(call) if name != b"exec" else self._exec(call.but(rest))
        if not rest:
            return {(RUN, call.state.ends(0))}
        return self._exec(call.but(rest)) if name == b"exec" else self.run(call.but(rest))

    def _exec(self, call: Call) -> Results:
        """The shell becomes the program, which is then no process of a shell; or it cannot."""
        if self.children is self.main and self._programs.may_be_shell(call.words[0]):
            raise CannotTell
        return {(EXIT, call.state.ends(126)), (EXIT, call.state.ends(127))}

    def _function(self, name: bytes, call: Call) -> Results:
        if call.scope.calls > MAX_CALLS:
            raise CannotTell
        found: Results = set()
        arguments = self._texts.given(call.words[1:], call.state.arguments) if call.words else None
        inside = call.state._replace(arguments=arguments)
        for body in self._texts.functions[name]:
            for kind, point in self.command(body, inside, call.scope._replace(calls=call.scope.calls + 1)):
                after = point._replace(arguments=call.state.arguments)
                found.add((kind if kind == EXIT else RUN, after))
        return found

    def _code(self, call: Call) -> State:
        """What `exit` and `return` say: a code of their own is due to what made them run."""
        if not call.words[1:]:
            return call.state
        saved = call.state.saved_in(call.words[1].raw)
        if saved:
            return call.state.ends(*saved)
        given = self._texts.given(call.words[1:2], call.state.arguments)
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
        return self._own(call)

    def _alias(self, call: Call) -> Results:
        if any((word.value or b"").partition(b"=")[2] not in OWN | QUIET | {b""} for word in call.words[1:]):
            raise CannotTell
        return {(RUN, call.state.ends(0))}

    def _shift(self, call: Call) -> Results:
        count = number(call.words[1].raw) if call.words[1:] else 1
        known = call.state.arguments is not None and count is not None
        after = call.state._replace(arguments=(call.state.arguments or ())[count:] if known else None)
        return {(RUN, after.ends(0)), (EXIT, call.state.ends(self._fatal, call.scope.cause))}

    def _set(self, call: Call) -> Results:
        after, at = call.state.ends(0), 1
        while at < len(call.words):
            word = call.words[at].value
            at += 1
            if word is None or word in (b"--", b"-") or word[:1] not in (b"-", b"+"):
                rest = call.words[at:] if word in (b"--", b"-") else call.words[at - 1 :]
                return {(RUN, after._replace(arguments=self._texts.given(rest, call.state.arguments)))}
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
            return self._text(b" ".join(word.value or b"" for word in call.words[1:]), call.state, call.scope)
        first = call.words[1].raw.lstrip(b'"')
        if call.words[1].value == b"set":
            return {(RUN, call.state._replace(arguments=None).ends(0))}
        if b"$(" in first or b"`" in first or b"=" not in first.partition(b" ")[0]:
            raise CannotTell
        return {(RUN, call.state.ends(0)), (RUN, call.state.ends(SOME))}

    def _text(self, text: bytes, state: State, scope: Scope) -> Results:
        script = read(text)
        if script.odd:
            raise CannotTell
        return self.sequence(script.body, state, scope)

    def _source(self, call: Call) -> Results:
        script = self._texts.sourced(call.words[1].value if call.words[1:] else None)
        if script is None:
            raise CannotTell
        ways = self.sequence(script.body, call.state.ends(0), call.scope)
        failed = {(EXIT, call.state.ends(self._fatal, call.scope.cause)), (RUN, call.state.ends(SOME))}
        return {(RUN if kind == RETURN else kind, point) for kind, point in ways} | failed

    def leaves(self, command: Command) -> bool:
        name = command.name() or b""
        if name in (b"exit", b"return"):
            return not command.arguments() or number(command.arguments()[0].raw) != 0
        bodies = self._texts.functions.get(name, [])
        return bool(bodies) and name not in self._looking and self._all_leave(name, bodies)

    def _all_leave(self, name: bytes, bodies: list[Node]) -> bool:
        self._looking.add(name)
        found = all(map(self.is_ending, bodies))
        self._looking.discard(name)
        return found

    def may_run(self, part: Part, name: bytes) -> bool:
        return self._may_run([part], name)

    def _may_run(self, parts: list[Part], name: bytes) -> bool:
        for part in parts:  # grows by the functions that they call
            for command in within(part):
                words = command.words[command.first :]
                while words and words[0].value in PREFIXES:
                    words = words[1:]
                bodies = self._texts.functions.get(words[0].value or b"", []) if words else []
                parts += [body for body in bodies if body not in parts]
                if words and not bodies and self._programs.may_run(words[0], name):
                    return True
        return False

    def ended(self, kind: str, state: State, code: int) -> set[Blame | None]:
        """To whom it is due that the script ended with this code there; empty if it did not."""
        ways: Results = {(kind, state)}
        if state.trap:
            text = state.trap.opened()
            inner = state._replace(trap=None)
            ways = self._text(text, inner, Scope(cause=state.blame, ending=True))
            ways = {(RUN, point) if how == EXIT else (RUN, point.ends(state.status)) for how, point in ways}
        return {state.blame for _, point in ways if agrees(point.status, code) and self.over(point)}


def _may_fail(redirection: tuple[bytes, bytes, Word]) -> bool:
    _, operator, target = redirection
    return (
        operator not in (b"<<", b"<<-")
        and not target.raw.isdigit()
        and target.raw not in (b"/dev/null", b"-")
    )
