"""What a simple command of a shell script may do, in a replay of it."""

from __future__ import annotations

from agent.wrapper.exits.own import OwnCommands
from agent.wrapper.exits.replay import CannotTell
from agent.wrapper.exits.state import ANY, EXIT, RUN, SOME, Call, Scope, agrees
from agent.wrapper.exits.words import OWN, PREFIXES, QUIET, base, number
from agent.wrapper.shell.syntax import assigned, within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.exits.programs import Programs
    from agent.wrapper.exits.replay import Results
    from agent.wrapper.exits.state import Blame, State
    from agent.wrapper.exits.texts import Texts
    from agent.wrapper.shell.syntax import Command, Node, Part, Word

MAX_CALLS = 30
SPECIAL = frozenset(b": . break continue eval exec exit export readonly return set shift trap unset".split())
"""Commands of the shell's own where an error ends the script."""


class Commands(OwnCommands):
    """Knows which command it is, and what surrounds it."""

    def __init__(self, texts: Texts, programs: Programs, *, in_process: bool, fatal: int) -> None:
        super().__init__(texts, programs, in_process=in_process, fatal=fatal)
        self._looking: set[bytes] = set()

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
        if any(self.texts.may_be_unset(word.raw) for word in command.parts()):
            failed |= {(EXIT, point.ends(self.fatal, scope.cause)) for point in ready}
        if command.opens_files():
            failed |= {(RUN, point.ends(SOME)) for point in ready}
            if command.name() in SPECIAL:
                failed |= {(EXIT, point.ends(self.fatal, scope.cause)) for point in ready}
        return ready, failed

    def _assigned(self, words: list[Word], before: State, state: State, scope: Scope) -> State:
        """After assignments. The code is that of the last substitution in them."""
        after = state if any(word.inside for word in words) else state.ends(0)
        for word in words:
            name, raw = assigned(word.raw), word.raw.partition(b"=")[2]
            if name in self.texts.codes:
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
        if name in self.texts.functions:
            return self._function(name, call) | self.program(call)
        if name in self.kinds:
            return self.kinds[name](call)
        if name in QUIET:
            return {(RUN, self._assigned(call.words[1:], call.state, call.state.ends(0), call.scope).ends(0))}
        if name in OWN:
            return self.own(call)
        found = self.program(call)
        return found if self.programs.is_there(call.words[0]) else {(RUN, call.state.ends(127))} | found

    def _computed(self, call: Call) -> Results:
        """A command whose name the shell computes."""
        given = self.texts.expanded(call.words[0], call.state.arguments)
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
        found: Results = {(RUN, call.state.ends(0)), (RUN, call.state.ends(ANY))} | self.program(call)
        if base(call.words[0].raw) != call.words[0].raw:
            return found  # a path
        for name in self.texts.passed_functions():
            found |= self._function(name, call.but([]))
        if call.words[1:] and call.words[1].value != call.words[0].value:
            found |= self.run(call.but(call.words[1:]))
        return found

    def _prefixed(self, call: Call) -> Results:
        name, rest = call.words[0].value, call.words[1:]
        if rest and rest[0].raw.startswith(b"-"):
            return self.own(call) if name != b"exec" else self._exec(call.but(rest))
        if not rest:
            return {(RUN, call.state.ends(0))}
        return self._exec(call.but(rest)) if name == b"exec" else self.run(call.but(rest))

    def _exec(self, call: Call) -> Results:
        """The shell becomes the program, which is then no process of a shell; or it cannot."""
        if self.children is self.main and self.programs.may_be_shell(call.words[0]):
            raise CannotTell
        return {(EXIT, call.state.ends(126)), (EXIT, call.state.ends(127))}

    def _function(self, name: bytes, call: Call) -> Results:
        if call.scope.calls > MAX_CALLS:
            raise CannotTell
        found: Results = set()
        arguments = self.texts.given(call.words[1:], call.state.arguments) if call.words else None
        inside = call.state._replace(arguments=arguments)
        for body in self.texts.functions[name]:
            for kind, point in self.command(body, inside, call.scope._replace(calls=call.scope.calls + 1)):
                after = point._replace(arguments=call.state.arguments)
                found.add((kind if kind == EXIT else RUN, after))
        return found

    def leaves(self, command: Command) -> bool:
        name = command.name() or b""
        if name in (b"exit", b"return"):
            return not command.arguments() or number(command.arguments()[0].raw) != 0
        bodies = self.texts.functions.get(name, [])
        return bool(bodies) and name not in self._looking and self._all_leave(name, bodies)

    def _all_leave(self, name: bytes, bodies: list[Node]) -> bool:
        self.step()
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
                bodies = self.texts.functions.get(words[0].value or b"", []) if words else []
                parts += [body for body in bodies if body not in parts]
                if words and not bodies and self.programs.may_run(words[0], name):
                    return True
        return False

    def ended(self, kind: str, state: State, code: int) -> set[Blame | None]:
        """To whom it is due that the script ended with this code there; empty if it did not."""
        ways: Results = {(kind, state)}
        if state.trap:
            text = state.trap.opened()
            inner = state._replace(trap=None)
            ways = self.run_text(text, inner, Scope(cause=state.blame, ending=True))
            ways = {(RUN, point) if how == EXIT else (RUN, point.ends(state.status)) for how, point in ways}
        return {state.blame for _, point in ways if agrees(point.status, code) and self.over(point)}
