"""What surely happens next in a shell script, whatever the rest of it may do."""

from __future__ import annotations

from agent.wrapper.exits.outcomes import Ends, Lives
from agent.wrapper.exits.phrases import ANY, BECOMING, OWN, QUIET, SAME, asks, base, code_of, leaves
from agent.wrapper.exits.syntax import Function, Group, If, Pipeline, Sequence, Simple, commands
from agent.wrapper.exits.words import CannotRead

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.exits.outcomes import Outcomes, Where
    from agent.wrapper.exits.survey import Survey
    from agent.wrapper.exits.syntax import Chain, Command

MAX_LOOKS = 100_000
MAX_DEPTH = 30


class Ahead:
    """Looks ahead in one script, a bounded number of times."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._looks = 0
        self._stay: set[int] = set()
        """Parts that are known not to leave for sure."""
        self._firsts: dict[int, str | None] = {}

    def _count(self) -> None:
        self._looks += 1
        if self._looks > MAX_LOOKS:
            raise CannotRead("too much of it")

    def runs(self, node: Pipeline | Sequence, where: Where, code: int) -> Outcomes:
        """The outcomes of running this because a command ended with the code."""
        leaving = self._leaving(node, where, code)
        if leaving:
            return leaving
        following = self._first_of(node)
        return where.win() if following == "" else [Lives(following)]

    def is_ending(self, node: Pipeline | Sequence, where: Where) -> bool:
        """Whether it surely ends the script, in failure."""
        found = self._leaving(node, where, ANY)
        return bool(found) and all(
            isinstance(outcome, Ends) and outcome.code not in (0, SAME) for outcome in found or ()
        )

    def _leaving(
        self, node: Pipeline | Sequence | Command, where: Where, code: int, depth: int = 0
    ) -> Outcomes | None:
        """The outcomes, if it surely leaves the function or script; None if it may not."""
        if id(node) in self._stay or depth > MAX_DEPTH:
            return None
        self._count()
        found: Outcomes | None = None
        if isinstance(node, Sequence):
            found = self._leaving_sequence(node, where, code, depth)
        elif isinstance(node, Pipeline):
            if len(node.commands) == 1 and not node.negated:
                found = self._leaving(node.commands[0], where, code, depth + 1)
        else:
            found = self._leaving_command(node, where, code, depth)
        if found is None:
            self._stay.add(id(node))
        return found

    def _leaving_sequence(self, sequence: Sequence, where: Where, code: int, depth: int) -> Outcomes | None:
        sooner: Outcomes = []
        for chain in sequence.chains:
            found = (
                self._leaving(chain.parts[0][1], where, code, depth + 1) if len(chain.parts) == 1 else None
            )
            if found and not chain.background:
                return [*sooner, *found]
            if any(leaves(command, self._survey.functions) for command in commands(Sequence([chain]))):
                sooner.extend(where.leave(ANY))
            code = ANY
        return None

    def _leaving_command(self, command: Command, where: Where, code: int, depth: int) -> Outcomes | None:
        if isinstance(command, Simple):
            if command.name == "exit":
                return where.leave(code_of(command, code))
            if command.name == "return":
                return where.back(code_of(command, code))
            bodies = self._survey.functions.get(command.name or "", [])
            returned = Lives()
            inside = where.but(back=lambda _code: [returned])
            found = [self._leaving(body, inside, ANY, depth + 1) for body in bodies]
            outcomes = [outcome for each in found for outcome in each or ()]
            sure = bool(bodies) and all(found) and returned not in outcomes
            return outcomes if sure else None
        if isinstance(command, Group):
            return None if command.apart else self._leaving(command.body, where, code, depth + 1)
        if isinstance(command, If) and command.otherwise:
            branches = [*(body for _, body in command.clauses), command.otherwise]
            each = [self._leaving(branch, where, ANY, depth + 1) for branch in branches]
            return [outcome for one in each for outcome in one or ()] if all(each) else None
        return None

    def asked(self, chain: Chain, where: Where, code: int) -> Outcomes | None:
        """What a command's failure leads to, where the next command asks for $?; None where it does not."""
        command = chain.parts[0][1].commands[0]
        if isinstance(command, If) and len(command.clauses) == 1 and len(command.clauses[0][0].chains) == 1:
            condition, body = command.clauses[0]
            asking = condition.chains[0]
            on_failure = asks(asking) if len(asking.parts) == 1 else None
            if on_failure is None:
                return None
            return self._leaving(body if on_failure else command.otherwise or Sequence([]), where, code)
        if len(chain.parts) == 2 and asks(chain) is (chain.parts[1][0] == "&&"):  # noqa: PLR2004 - it and what follows
            return self._leaving(chain.parts[1][1], where, code)
        return None

    def _first_of(self, node: Pipeline | Sequence) -> str | None:
        if isinstance(node, Sequence):
            return self.first(node.chains)
        return self._first_program(node.commands[0], 0) if len(node.commands) == 1 else None

    def first(self, chains: list[Chain], depth: int = 0) -> str | None:
        """The program that is surely run next, before anything could end the script; empty if none is."""
        key = id(chains[0]) if chains else 0
        if key not in self._firsts:
            self._firsts[key] = self._look_for_first(chains, depth)
        return self._firsts[key]

    def _look_for_first(self, chains: list[Chain], depth: int) -> str | None:
        for chain in chains:
            pipeline = chain.parts[0][1]
            if chain.background or len(pipeline.commands) > 1:
                return None
            found = self._first_program(pipeline.commands[0], depth)
            if found != "" or len(chain.parts) > 1:
                return found or None
        return ""

    def _first_program(self, command: Command, depth: int) -> str | None:
        """The same of one command; empty where it does nothing of the kind."""
        self._count()
        if depth > MAX_DEPTH:
            return None
        if isinstance(command, Group) and not command.apart:
            return self.first(command.body.chains, depth + 1)
        if isinstance(command, If):
            return self.first(command.clauses[0][0].chains, depth + 1) or None
        if isinstance(command, Function):
            return ""
        if not isinstance(command, Simple) or command.name is None or not self._is_harmless(command):
            return None
        bodies = self._survey.functions.get(command.name, [])
        if bodies:
            return self._first_program(bodies[0], depth + 1) or None if len(bodies) == 1 else None
        if command.name in QUIET:
            return ""
        return None if command.name in OWN | BECOMING else base(command.name)

    def _is_harmless(self, command: Simple) -> bool:
        """Whether nothing but the command itself could fail in it."""
        words = (*command.words, *command.assigned)
        if any(
            word.inside or "?" in word.raw or (self._survey.nounset and "$" in word.raw) for word in words
        ):
            return False
        plain = ("/dev/null", *"0123456789")
        return all(word.text in plain for word in command.redirected)
