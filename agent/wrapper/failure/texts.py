"""What the texts of a script and of what it sources say about a line."""

from __future__ import annotations

import os
import re

from agent.wrapper.failure.programs import MESSAGES, NOT_THERE, PREDICATES, UNKNOWN
from agent.wrapper.shell import reader
from agent.wrapper.shell.script import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.failure.looks import Look
    from agent.wrapper.failure.record import Entry, Position
    from agent.wrapper.shell.syntax import Command, Function, Script

HELPER = re.compile(rb"(?:^|_)(?:die|fatal|fail|abort|err|error|panic|bail|usage|quit|exit)(?:_|$)")
GIVEN = re.compile(rb"\$\{?[1-9@*#]")
ASKING = frozenset((b"", b"case", b"exit", b"return", b"local", b"declare", b"shift", b"for", b":"))
SHORT = 15
"""Lines of a function that only looks at what it is given."""

REQUIRED = b"?}"
"""What the reader notes of ${NAME?…}, which ends a script where NAME is unset."""

HERE_DOCUMENTS = (b"<<", b"<<-")

ASSIGNED = re.compile(rb"([A-Za-z_]\w*)(?:\[|\+?=)")
"""The variable that a word assigns to."""

STDIN = (b"", b"main", b"bash")
"""What bash calls the file that it reads from stdin."""


class Texts:
    """The files that a script consists of, read when they are asked for."""

    def __init__(self, looks: list[Look], folder: bytes = b"") -> None:
        self._folder = folder or os.getcwdb()
        self._read: dict[bytes, Script | None] = {self._key(look.source): look.script for look in looks}

    def _key(self, source: bytes) -> bytes:
        return b"" if source in STDIN else os.path.realpath(os.path.join(self._folder, source))

    def script(self, source: bytes) -> Script | None:
        """What the text of a file says, as bash names it; None if there is none to read."""
        key = self._key(source)
        if key not in self._read:
            text = read_text(key) if source not in STDIN else None
            self._read[key] = reader.read(text) if text is not None else None
        return self._read[key]

    def functions(self) -> set[bytes]:
        return {name for script in self._read.values() if script for name in script.functions}

    def start(self, source: bytes, line: int, name: bytes | None) -> int | None:
        """The line where the command begins that bash says to stand on `line`; None if that is open.

        Without a text, the line is taken as told.
        """
        if self.script(source) is None:
            return line or None
        found = {command.line for command in self._at(source, line, name)}
        if line in found:
            return line
        return found.pop() if len(found) == 1 else None

    def _at(self, source: bytes, line: int, name: bytes | None = None) -> list[Command]:
        """The commands that stand on a line; with a name, those that run it."""
        script = self.script(source)
        return [each for each in script.commands if _stands(each, line, name)] if script else []

    def told(self, name: bytes, entry: Entry, code: int) -> bytes:
        """The name of what an entry ran. If there was no such program, only a name that stands in the text.

        Otherwise a variable came to be a command, as in `PASSWORD= $typed`: it may hold anything.
        """
        known = code not in NOT_THERE or entry.raw or self._says(entry.positions(), name)
        return name if known else UNKNOWN

    def _says(self, positions: list[Position], name: bytes) -> bool:
        """Whether a name stands in one of these files, as a word or as a part of one."""
        whole = re.compile(rb"(?<![\w.+])" + re.escape(name) + rb"(?![\w.+-])")
        scripts = [self.script(position.source) for position in positions]
        commands = [command for script in scripts if script for command in script.commands]
        return any(whole.search(word.raw) for command in commands for word in command.words)

    def in_subshell(self, source: bytes, line: int) -> bool:
        """Whether ( … ) stands on a line, or goes over it."""
        script = self.script(source)
        return script is not None and any(first <= line <= last for first, last in script.subshells)

    def waits_for(self, positions: list[Position]) -> bool:
        """Whether what runs there is in a ( … ) whose end the script waits for, as far as the text shows."""
        inside = any(self.in_subshell(at.source, at.line) for at in positions)
        return inside and not self.in_background(positions)

    def in_background(self, positions: list[Position]) -> bool:
        """Whether what runs there may be a job in the background."""
        here = [each for at in positions for each in self._at(at.source, at.line)]
        return any(command.background for command in here)

    def stand(self, positions: list[Position]) -> bool:
        """Whether every call up to the script itself stands in the text: else a trap made one of them."""
        return all(self.calls(outer, inner.function) for inner, outer in zip(positions, positions[1:]))

    def calls(self, position: Position, name: bytes | None) -> bool:
        """Whether the text has a command of that name there, or one with that assignment."""
        script, variable = self.script(position.source), ASSIGNED.match(name or b"")
        if script and variable:  # xtrace writes it apart: of `export A=1` and `A=1 make` too
            words = [word.raw for each in self._at(position.source, position.line) for word in each.words]
            return variable[1] in {found[1] for word in words if (found := ASSIGNED.match(word))}
        called: tuple[bytes | None, ...] = (b".", b"source") if name == b"source" else (name,)
        return any(self.start(position.source, position.line, each) is not None for each in called)

    def last(self, source: bytes, line: int) -> bool:
        """Whether the script ends with what stands on a line."""
        script = self.script(source)
        if script is None:
            return False
        ends = [command.line for command in script.commands if command.function is None]
        return bool(ends) and max(ends) <= line

    def unset_after(self, position: Position, name: bytes, *, nounset: bool) -> int | None:
        """The line of the very next command, if an unset variable may have ended the script there."""
        following = self._following(position, name) if name not in PREDICATES else None
        return following.line if following and _may_be_unset(following, nounset=nounset) else None

    def goes_on(self, position: Position, name: bytes | None, *, nounset: bool) -> bool:
        """Whether no unset variable can have ended the script directly after a command."""
        following = self._following(position, name)
        if following is not None:
            expands = nounset and any(sign in HERE_DOCUMENTS for _, sign, _ in following.redirections)
            return not (expands or _may_be_unset(following, nounset=nounset))
        required = any(REQUIRED in script.variables for script in self._read.values() if script)
        return not nounset and not required

    def _following(self, position: Position, name: bytes | None) -> Command | None:
        """The very next command, if that is certain; without a name, after all that stands on the line."""
        script = self.script(position.source)
        here = [each for each in self._at(position.source, position.line, name) if not each.inner]
        if script is None or (name is not None and len(here) != 1):
            return None
        found = [following for each in here if (following := script.after(each))]
        return found[0] if len(found) == 1 else None

    def helps(self, position: Position, caller: Position) -> bool:
        """Whether a helper such as `die` ends the script there, so that its call is what counts."""
        if position.function in (b"main", b"source"):
            return False
        script = self.script(position.source)
        if script is None:
            return True
        function = script.functions.get(position.function)
        if function is None:
            return False
        last = function.last()
        if last and last.line <= position.line <= last.end:
            return last.name() == b"exit" or any(b"$" in word.raw for word in last.arguments())
        if HELPER.search(position.function.lower()):
            return True
        return self._judges(function, position) and not self._passes_all(caller, position.function)

    def runs_given(self, position: Position) -> bool:
        """Whether a command stands there that is all what a function is given: `"$@"`."""
        return any(map(_is_given, self._at(position.source, position.line)))

    def _judges(self, function: Function, position: Position) -> bool:
        """Whether a short function decides by what it is given."""
        script = self.script(position.source)
        if script is None or function.end - function.line > SHORT:
            return False
        body = [command for command in script.commands if command.function is function and not command.inner]
        runs = [command for command in body if not self._asks(command)]
        given = [command for command in body if any(GIVEN.search(word.raw) for word in command.words)]
        decides = any(command.name() in PREDICATES or command.name() in (b"case", None) for command in given)
        return decides and not runs

    def _asks(self, command: Command) -> bool:
        """Whether a command only asks, tells or ends, or is all what the function was given."""
        name = command.name()
        if name is None:
            return _is_given(command)
        return name in PREDICATES or name in MESSAGES or name in ASKING or name in self.functions()

    def _passes_all(self, caller: Position, name: bytes) -> bool:
        """Whether it is the script as a whole that is called, such as `main "$@"`."""
        calls = self._at(caller.source, caller.line, name)
        return any(b"$@" in word.raw for command in calls for word in command.arguments())

    def opens_files(self, position: Position, name: bytes | None) -> bool:
        """Whether a command stands there that may have failed to open a file, and so never ran."""
        return any(each.opens_files() for each in self._at(position.source, position.line, name))

    def untested(self, position: Position, name: bytes | None) -> bool:
        """Whether nothing looks at how the command ended that stands there."""
        script = self.script(position.source)
        here = self._at(position.source, position.line, name)
        return script is not None and bool(here) and all(map(script.untested, here))

    def pipeline(self, source: bytes, line: int, parts: int) -> list[Command] | None:
        """The commands of the only pipeline of so many parts that stands on a line."""
        script = self.script(source)
        if script is None:
            return None
        fitting = [
            commands
            for commands in script.pipelines()
            if len(commands) == parts and commands[0].line <= line <= commands[-1].end
        ]
        return fitting[0] if len(fitting) == 1 else None


def _stands(command: Command, line: int, name: bytes | None) -> bool:
    if not command.line <= line <= command.end:
        return False
    if name is None:
        return True
    word = command.name()
    if word in (b"command", b"builtin"):  # older bashes name what these run
        return word == name or any(each.value == name for each in command.arguments())
    return not word or os.path.basename(word) == os.path.basename(name)


def _may_be_unset(command: Command, *, nounset: bool) -> bool:
    """Whether a variable in its words ends the script where that is unset."""
    raw = b" ".join(word.raw for word in command.parts())
    return b"$" in raw and (nounset or b"?" in raw)


def _is_given(command: Command) -> bool:
    """Whether a command is all what the function was given: `"$@"`."""
    return [word.raw.strip(b'"') for word in command.words[command.first :][:1]] in ([b"$@"], [b"$*"])
