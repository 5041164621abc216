"""A shell script's text, run again over what the kernel told of its processes, in every way that fits.

What a program did is known; what the shell did of itself is not, so a test both holds and fails. A way
counts only if it comes to each process in turn, and to the script's own end.
"""

from __future__ import annotations

from agent.wrapper.exits.state import BREAK, CONTINUE, EXIT, RETURN, RUN, Blame, Scope, State, agrees
from agent.wrapper.shell.syntax import (
    Case,
    Chain,
    Command,
    Group,
    If,
    Loop,
    Pipeline,
    Sequence,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from agent.wrapper.exits.processes import Process
    from agent.wrapper.shell.syntax import Node, Part

    Results: TypeAlias = set[tuple[str, State]]

MAX_STEPS, MAX_POINTS = 20_000, 120_000
"""Of a replay, and of orders in which what runs beside it may have ended: about a second each."""


class CannotTell(Exception):  # noqa: N818 - reads as what it says
    """The script may do anything here."""


class Replay:
    """Knows how commands are joined. Owns the place in the tree of processes."""

    def __init__(self, *, in_process: bool) -> None:
        self.in_process = in_process
        """Whether the shell runs subshells and a pipeline's last part without a process, as ksh does."""
        self.main: list[Process] = []
        self.children: list[Process] = []
        self._steps = self._points = 0
        self._known: dict[object, frozenset[Blame | None]] = {}

    def simple(self, command: Command, state: State, scope: Scope) -> Results:
        """The ways of a simple command."""
        raise NotImplementedError

    def prepared(self, command: Command, state: State, scope: Scope) -> tuple[set[State], Results]:
        """Where a command's words and redirections lead to: where it runs, and the ways where it does not."""
        raise NotImplementedError

    def may_run(self, part: Part, name: bytes) -> bool:
        """Whether the program of this name may be one that this runs."""
        raise NotImplementedError

    def step(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise CannotTell

    def sequence(self, sequence: Sequence, state: State, scope: Scope) -> Results:
        found: Results = set()
        points = {state}
        for chain in sequence.chains:
            ways = {way for point in points for way in self.chain(chain, point, scope)}
            found |= {way for way in ways if way[0] != RUN}
            points = {point for kind, point in ways if kind == RUN}
        return found | {(RUN, point) for point in points}

    def chain(self, chain: Chain, state: State, scope: Scope) -> Results:
        """Pipelines joined by && and ||."""
        if chain.background:
            return {(RUN, state.ends(0)._replace(beside=(*state.beside, chain)))}
        return self._parts(chain, state, scope)

    def _parts(self, chain: Chain, state: State, scope: Scope) -> Results:
        found: Results = set()
        points = {state}
        for sign, pipeline in chain.parts:
            last = pipeline is chain.parts[-1][1]
            ways: Results = set()
            for point in points:
                inner = scope.because(point, ending=self.is_ending(pipeline)) if sign else scope
                if sign and (point.status == 0) is not (sign == b"&&"):
                    ways.add((RUN, point))
                else:
                    tested = inner.tested or not last
                    ways |= self._pipeline(pipeline, point, inner._replace(tested=tested))
            found |= {way for way in ways if way[0] != RUN}
            points = {point for kind, point in ways if kind == RUN}
        return found | {(RUN, point) for point in points}

    def _pipeline(self, pipeline: Pipeline, state: State, scope: Scope) -> Results:
        self.step()
        inner = scope._replace(tested=True) if pipeline.negated else scope
        only = pipeline.only()
        ways = self.command(only, state, inner) if only else self._piped(pipeline.commands, state, inner)
        found: Results = set()
        for kind, point in ways:
            if kind == RUN and pipeline.negated:
                found.add((kind, point._replace(status=int(point.status == 0))))
            elif kind == RUN and point.status and point.errexit and not inner.tested and _counts(only):
                due = scope.cause if scope.ending and scope.cause else point.blame
                found.add((EXIT, point.ends(point.status, due)))
            else:
                found.add((kind, point))
        return found

    def command(self, command: Node, state: State, scope: Scope) -> Results:
        if isinstance(command, Command):
            return self.simple(command, state, scope)
        if command.redirected is None:
            return self._compound(command, state, scope)
        ready, found = self.prepared(command.redirected, state, scope)
        for point in ready:
            found |= self._compound(command, point, scope)
        return found

    def _compound(self, command: Node, state: State, scope: Scope) -> Results:
        if isinstance(command, Group):
            return (
                self.apart(command.body, state, scope)
                if command.apart
                else self.sequence(command.body, state, scope)
            )
        if isinstance(command, If):
            return self._if(command, state, scope)
        if isinstance(command, Loop):
            return self._loop(command, state, scope)
        return self._case(command, state, scope) if isinstance(command, Case) else {(RUN, state.ends(0))}

    def _case(self, command: Case, state: State, scope: Scope) -> Results:
        ready, found = self.prepared(command.head, state, scope)
        for point in ready:
            found.add((RUN, point.ends(0)))
            for body in command.bodies:
                found |= self.sequence(body, point, scope)
        return found

    def _if(self, command: If, state: State, scope: Scope) -> Results:
        found: Results = set()
        points = {state}
        for condition, body in command.clauses:
            following = set()
            for point in points:
                for kind, after in self.sequence(condition, point, scope._replace(tested=True)):
                    if kind != RUN:
                        found.add((kind, after))
                    elif after.status:
                        following.add(after)
                    else:
                        found |= self._branch(body, after, scope)
            points = following
        for point in points:
            if command.otherwise:
                found |= self._branch(command.otherwise, point, scope)
            else:
                found.add((RUN, point.ends(0)))
        return found

    def _branch(self, body: Sequence, state: State, scope: Scope, *, again: bool = False) -> Results:
        """What runs because of how a condition ended."""
        return self.sequence(body, state, scope.because(state, ending=self.is_ending(body), again=again))

    def is_ending(self, part: Sequence | Pipeline | Node) -> bool:
        """Whether a part surely ends the script or the function in failure."""
        if isinstance(part, Sequence):
            last = part.chains[-1] if part.chains else None
            return last is not None and len(last.parts) == 1 and self.is_ending(last.parts[0][1])
        if isinstance(part, Pipeline):
            only = part.only()
            return only is not None and not part.negated and self.is_ending(only)
        if isinstance(part, Group):
            return not part.apart and self.is_ending(part.body)
        if isinstance(part, If):
            branches = [*(body for _, body in part.clauses), *([part.otherwise] if part.otherwise else ())]
            return part.otherwise is not None and all(map(self.is_ending, branches))
        return isinstance(part, Command) and self.leaves(part)

    def leaves(self, command: Command) -> bool:
        """Whether a simple command ends the script or the function in failure."""
        raise NotImplementedError

    def _loop(self, command: Loop, state: State, scope: Scope) -> Results:
        found: Results = set()
        waiting, seen = [(state, state.ends(0))], set()
        while waiting:
            point, last = waiting.pop()
            if (point, last) in seen:
                continue
            seen.add((point, last))
            for kind, after in self._turn(command, point, last, scope):
                if kind == CONTINUE:
                    waiting.append((after, after))
                else:
                    found.add((kind, after))
        return found

    def _turn(self, command: Loop, state: State, last: State, scope: Scope) -> Results:
        """One turn of a loop: CONTINUE is before the next; `last` is how the body ended before."""
        self.step()
        found: Results = set()
        if command.head:
            ready, ways = self.prepared(command.head, state, scope)
            ways |= {(RUN, point.ends(status)) for point in ready for status in (0, 1)}
        else:
            ways = self.sequence(command.condition, state, scope._replace(tested=True))
        for kind, point in ways:
            if kind != RUN:
                found.add((RUN if kind == BREAK else kind, point))
            elif (point.status == 0) is command.until:
                found.add((RUN, point.ends(last.status, last.blame)))
            else:
                for how, after in self._branch(command.body, point, scope, again=True):
                    found.add((CONTINUE if how == RUN else RUN if how == BREAK else how, after))
        return found

    def apart(self, body: Sequence, state: State, scope: Scope) -> Results:
        """A subshell or a substitution."""
        found: Results = set()
        for point in self.skim(state):
            found |= {(RUN, after) for after in self.process(body, point, scope)}
        if self.in_process or self.children is not self.main:  # a process of its own has no need of another
            found |= {(RUN, point) for _, point in self.sequence(body, state, scope)}
        return found

    def skim(self, state: State) -> set[State]:
        """The same point, after none, some or all of what runs beside it has ended."""
        found = {state}
        waiting = [state] if state.beside else []
        while waiting:
            self._points += 1
            if self._points > MAX_POINTS:
                raise CannotTell
            point = waiting.pop()
            for part in set(point.beside):
                rest = list(point.beside)
                rest.remove(part)
                after = point._replace(at=point.at + 1, beside=tuple(rest))
                if after not in found and self.process(part, point, Scope()):
                    found.add(after)
                    waiting.append(after)
        return found

    def fits(self, part: Part, child: Process, state: State, scope: Scope) -> frozenset[Blame | None]:
        """Whether a child may be this part, as a process of its own: whom its end is due to, in each way."""
        start = state._replace(at=0, beside=(), trap=None)
        key = (part, child, scope, start)
        if key not in self._known:
            self._known[key] = frozenset(self._fits(part, child, start, scope))
        return self._known[key]

    def _fits(self, part: Part, child: Process, state: State, scope: Scope) -> Iterator[Blame | None]:
        self.step()
        if not child.forked:  # its last command took its place
            if self.may_run(part, child.name):
                yield Blame(child, None, 0)
            return
        children, self.children = self.children, child.children
        for errexit in {state.errexit, False}:  # bash unsets it in a substitution
            start = state._replace(errexit=errexit)
            if isinstance(part, Sequence):
                ways = self.sequence(part, start, scope)
            elif isinstance(part, Chain):
                ways = self._parts(part, start, scope)
            else:
                ways = self.command(part, start, scope)
            for kind, point in ways:
                if kind in (RUN, EXIT, RETURN) and agrees(point.status, child.status) and self.over(point):
                    yield point.blame
        self.children = children

    def over(self, state: State) -> bool:
        """Whether every child has ended."""
        return any(point.at == len(self.children) for point in self.skim(state))

    def _piped(self, commands: list[Node], state: State, scope: Scope) -> Results:
        """A | b: processes that end in any order."""
        found: Results = set()
        if self.in_process:
            early = (*state.beside, *commands[:-1])
            found |= self.command(commands[-1], state._replace(beside=early), scope)
        ends: tuple[State | None, ...] = (None,) * len(commands)
        waiting = [(state, ends)]
        while waiting:
            self.step()
            point, ends = waiting.pop()
            known = [end for end in ends if end]
            if len(known) == len(ends):
                failed = [end for end in known if end.status]
                last = failed[-1] if failed and state.pipefail else known[-1]
                found.add((RUN, point.ends(last.status, last.blame)))
                continue
            for before in self.skim(point):
                for at, command in enumerate(commands):
                    if ends[at] is None:
                        ways = self.process(command, before, scope)
                        waiting += [(after, (*ends[:at], after, *ends[at + 1 :])) for after in ways]
        return found

    def process(self, part: Part, state: State, scope: Scope) -> set[State]:
        """After the next child, which was the part as a process of its own; none if it cannot be that."""
        if state.at == len(self.children):
            return set()
        child = self.children[state.at]
        return {state.takes(child, blame) for blame in self.fits(part, child, state, scope)}


def _counts(command: Node | None) -> bool:
    """Whether errexit heeds the failure of a command itself; of other blocks it heeds that in them."""
    return command is None or isinstance(command, Command) or (isinstance(command, Group) and command.apart)
