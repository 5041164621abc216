"""What becomes of a shell script where one of its programs fails, told from its text for every place.

Each place where a program is run has outcomes: the script ends, with a code, or it goes on.
"""

from __future__ import annotations

import re

from agent.wrapper.exits.ahead import Ahead
from agent.wrapper.exits.grammar import read
from agent.wrapper.exits.outcomes import Lives, Where, apart, end, go_on, nowhere
from agent.wrapper.exits.phrases import ANY, BECOMING, PREFIXES, SAME, name_of, pieces, sets_errexit
from agent.wrapper.exits.survey import Survey
from agent.wrapper.exits.syntax import Case, Group, If, Loop, Sequence, Simple
from agent.wrapper.exits.words import CannotRead

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.wrapper.exits.outcomes import Outcomes
    from agent.wrapper.exits.syntax import Chain, Command, Pipeline, Word

MAX_VISITS = 20_000
MAX_CALLS = 30


class Fates:
    """Every place of a script. CannotRead where the text does not tell."""

    def __init__(self, script: Sequence, *, options: bytes = b"", arguments: list[str] | None = None) -> None:
        self.of: dict[str, Outcomes] = {}
        """The outcomes of all places where the program of this name is run."""
        self.paths: dict[str, set[str | None]] = {}
        """The words that stand there; None for a folder that the shell computes."""
        self.unnamed: list[tuple[set[str] | None, Outcomes]] = []
        """Those of the places where the shell computes the name, with the names it may be: None is any."""
        self.last_words: set[str] = set()
        """Commands that are run when the script is ending."""
        self.survey = Survey(script, options)
        self._ahead = Ahead(self.survey)
        self._calls: list[str] = []
        self._given: list[set[str] | None] = [{piece for word in arguments or () for piece in pieces(word)}]
        self._visits = 0
        self._top = script
        start = None if self.survey.errexit_varies else b"e" in options
        self._sequence(script, Where(end, end, end, end, start))

    def _sequence(self, sequence: Sequence, where: Where) -> None:
        errexit = where.errexit
        for at, chain in enumerate(sequence.chains):
            rest = sequence.chains[at + 1 :]
            self._chain(chain, self._within(where, rest, errexit) if not chain.background else nowhere(where))
            change = sets_errexit(chain.parts[0][1].commands[0])
            if change is not None and errexit is not None:
                errexit = change if sequence is self._top else change and where.errexit

    def _within(self, where: Where, rest: list[Chain], errexit: bool | None) -> Where:  # noqa: FBT001
        """The point of a chain, of a sequence at `where`, before the rest."""

        def on(code: int | None) -> Outcomes:
            if rest:
                asked = self._ahead.asked(rest[0], where, code) if code is not None else None
                return asked or [Lives(self._ahead.first(rest) or None)]
            return where.win() if code is None else where.fail(code)

        return where.but(fail=on, win=lambda: on(None), errexit=errexit)

    def _chain(self, chain: Chain, where: Where) -> None:
        """The pipelines between && and ||. where.fail is without errexit."""
        last = len(chain.parts) - 1

        def after(at: int, sign: str, otherwise: Callable[[], Outcomes], code: int) -> Outcomes:
            for following, pipeline in chain.parts[at + 1 :]:
                if following == sign:
                    return self._ahead.runs(pipeline, where, code)
            return otherwise()

        for at, (_, pipeline) in enumerate(chain.parts):
            errexit = where.errexit if at == last and not pipeline.negated else False

            def fail(code: int, at: int = at, errexit: bool | None = errexit) -> Outcomes:  # noqa: FBT001
                if at == last and errexit is not False:
                    return [*where.leave(code), *(where.fail(code) if errexit is None else ())]
                return after(at, "||", lambda: where.fail(code), code)

            def win(at: int = at) -> Outcomes:
                return after(at, "&&", where.win, SAME)

            ending = where.ending or (at > 0 and self._ahead.is_ending(pipeline, where))
            here = where.but(fail=fail, win=win, errexit=errexit, ending=ending)
            if pipeline.negated:
                here = here.but(fail=lambda _code, win=win: win(), win=lambda fail=fail: fail(1))
            self._pipeline(pipeline, here)

    def _pipeline(self, pipeline: Pipeline, where: Where) -> None:
        *early, last = pipeline.commands
        for command in early:
            self._command(command, nowhere(where))
        if early:  # in some shells a process of its own
            leave = where.leave
            where = where.but(
                leave=lambda code: [*leave(code), *where.fail(code)],
                back=lambda code: [Lives(), *where.fail(code)],
            )
        self._command(last, where)

    def _command(self, command: Command, where: Where) -> None:
        self._visits += 1
        if self._visits > MAX_VISITS:
            raise CannotRead("too much of it")
        if isinstance(command, Simple):
            self._simple(command, where)
        elif isinstance(command, Group):
            self._sequence(command.body, apart(where) if command.apart else where)
        elif isinstance(command, If):
            self._if(command, where)
        elif isinstance(command, Loop):
            self._words(command.words, where)
            around = where.but(fail=lambda code: [Lives(), *where.fail(code)], win=go_on)
            if command.condition:
                self._sequence(command.condition, around.but(fail=go_on, errexit=False))
            self._sequence(command.body, around)
        elif isinstance(command, Case):
            self._words([command.word], where)
            for body in command.bodies:
                self._sequence(body, where.but(ending=where.ending or self._ahead.is_ending(body, where)))

    def _if(self, command: If, where: Where) -> None:
        for at, (condition, body) in enumerate(command.clauses):
            following = command.clauses[at + 1][0] if at + 1 < len(command.clauses) else None

            def no(code: int, following: Sequence | None = following) -> Outcomes:
                if following:
                    return [Lives(self._ahead.first(following.chains) or None)]
                return self._ahead.runs(command.otherwise, where, code) if command.otherwise else where.win()

            def yes(body: Sequence = body) -> Outcomes:
                return self._ahead.runs(body, where, ANY)

            self._sequence(condition, where.but(fail=no, win=yes, errexit=False))
            self._sequence(body, where.but(ending=where.ending or self._ahead.is_ending(body, where)))
        if command.otherwise:
            ending = where.ending or self._ahead.is_ending(command.otherwise, where)
            self._sequence(command.otherwise, where.but(ending=ending))

    def _simple(self, command: Simple, where: Where) -> None:
        self._words([*command.words, *command.redirected], where)
        self._assigned(command, where)
        words = command.words
        while words and words[0].text in PREFIXES:
            if words[0].text == "exec" and len(words) > 1:
                where = where.but(fail=where.leave)
            words = words[1:]
        if not words:
            return
        name = name_of(words[0])
        if words[0].text in self.survey.functions and words[0] is command.words[0]:
            self._call(words[0].text, where, self._named_in(words[1:]))
        elif name in (".", "source"):
            self._sequence(self.survey.sourced(command) or Sequence([]), where)
        elif name == "trap":
            self._trap(words)
        else:
            self._program(name, words, where)
        if where.ending and name:
            self.last_words.add(name)

    def _program(self, name: str | None, words: list[Word], where: Where) -> None:
        if name == "eval":
            self.survey.codes.add(ANY)
            self.survey.passed |= self.survey.mentioned
            self._computed(None, where.but(ending=True))
        elif name is None:
            self._computed(self._possible(words), where)
        else:
            self.of.setdefault(name, []).extend(self._outcomes(where))
            self.paths.setdefault(name, set()).add(words[0].text)
            if name in BECOMING:
                self._computed(self._possible(words), where)

    def _outcomes(self, where: Where) -> Outcomes:
        return [*where.fail(SAME), *([Lives()] if where.ending else ())]

    def _possible(self, words: list[Word]) -> set[str] | None:
        """The names that a command may run whose first word is computed, or runs another; None for any."""
        if words[0].text is None:
            first = re.fullmatch(r"\$(?:(\w+)|\{(\w+)\})", words[0].raw.replace('"', ""))
            values = self.survey.values.get(first[1] or first[2], []) if first else []
            positional = re.fullmatch(r'"?\$\{?[@*1-9]\}?"?', words[0].raw)
            if not positional and (not values or any(sign in value for value in values for sign in "$`")):
                return None
        return self._named_in(words)

    def _named_in(self, words: list[Word]) -> set[str] | None:
        """What may be a name in these words, in the variables' values and in what the function was given."""
        found: set[str] = set()
        texts = [word.raw for word in words]
        for text in texts:
            found.update(pieces(text))
            if re.search(r"\$\{?[@*1-9]", text):
                given = self._given[-1]
                if given is None:
                    return None
                found |= given | self.survey.set_words
            for variable in re.findall(r"\$\{?([A-Za-z_]\w*)", text):
                texts.extend(value for value in self.survey.values.get(variable, ()) if value not in texts)
        return found

    def _computed(self, names: set[str] | None, where: Where) -> None:
        self.unnamed.append((names, self._outcomes(where)))
        for name in self.survey.functions.keys() & (self.survey.passed if names is None else names):
            self._call(name, where, names)

    def _assigned(self, command: Simple, where: Where) -> None:
        """Commands inside assignments; where there is nothing else, the last one's end is the command's."""
        inside = [sequence for word in command.assigned for sequence in word.inside]
        for sequence in inside[:-1] if not command.words else inside:
            self._sequence(sequence, apart(nowhere(where)))
        if inside and not command.words:
            self._sequence(inside[-1], apart(where))

    def _words(self, words: list[Word], where: Where) -> None:
        for word in words:
            for sequence in word.inside:
                self._sequence(sequence, apart(nowhere(where)))

    def _trap(self, words: list[Word]) -> None:
        operands = [word for word in words[1:] if word.text != "--"]
        if not operands or operands[0].text in ("", "-"):
            return
        if operands[0].text is None:
            raise CannotRead("a computed trap")
        self._sequence(read(operands[0].text), Where(go_on, go_on, go_on, go_on, None, ending=True))

    def _call(self, name: str | None, where: Where, given: set[str] | None) -> None:
        if name is None or name in self._calls or len(self._calls) > MAX_CALLS:
            return
        self._calls.append(name)
        self._given.append(given)
        for body in self.survey.functions[name]:
            self._command(body, where.but(back=lambda code: where.win() if code == 0 else where.fail(code)))
        self._calls.pop()
        self._given.pop()
