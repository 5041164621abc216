"""Where a script failed, from what bash wrote of it: line, script, program, exit code; in doubt, nothing."""

from __future__ import annotations

import os

from agent.wrapper.failure import record
from agent.wrapper.failure.programs import NOT_OPENED, SHELLS, UNKNOWN, certain_program, message, named
from agent.wrapper.failure.record import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.runs.write import Place as Written
    from agent.wrapper.failure.record import Entry, Position
    from agent.wrapper.failure.texts import Texts

CONDITIONS = (b"((", b"[[")
AMBIGUOUS = (1, 2, 127)
"""Exit codes that bash itself ends a script with, for errors in its text."""

UNSET = (1, 127)
"""Of these the codes of an unset variable."""


class Place:
    """A failing step. `line` and `script` are known; `command` and its exit code may not be."""

    __slots__ = ("code", "command", "line", "script")

    def __init__(self, script: bytes, line: int, command: bytes = UNKNOWN, code: int | None = None) -> None:
        self.script = script
        self.line = line
        self.command = command
        self.code = None if command == UNKNOWN else code

    def written(self) -> Written:
        """As it is noted in a run file."""
        code = "-" if self.code is None else str(self.code)
        script = os.path.basename(self.script).decode("utf-8", "replace")
        known = "\n" not in script and script not in ("", "main", "environment")
        return str(self.line), self.command.decode(), script if known else "-", code


def where(data: bytes, pid: int, code: int, texts: Texts) -> Written | None:
    """Where the script with that pid failed, which ended with that exit code."""
    place = Reading(record.read(data), texts, pid).failure(pid, code)
    return place.written() if place else None


class Reading:
    """Owns the entries while they are looked through."""

    def __init__(self, entries: list[Entry], texts: Texts, main: int) -> None:
        self.entries = entries
        self.texts = texts
        self._main = main
        self._called = {name for entry in entries for name in entry.functions}

    def failure(self, pid: int, code: int, after: int = 0) -> Place | None:
        """The place where the shell with that pid failed, having written nothing before `after`."""
        mine = [entry for entry in self.entries[after:] if entry.pid == pid]
        stop = next((at for at, entry in enumerate(mine) if entry.stops), len(mine))
        own_trap = False
        for at, entry in enumerate(mine):
            if entry.sets_err_trap:
                own_trap = True
            error = self._error(mine, at, own_trap=own_trap)
            if error and b"e" in error.flags:
                return self._at_error(mine[:at] if at < stop else mine[at - 1 : at], error)
            if entry.word == b"exit":
                return self._at_exit(mine, at, own_trap=own_trap)
        return self._at_end(mine, code, own_trap=own_trap) if stop == len(mine) else None

    def _error(self, mine: list[Entry], at: int, *, own_trap: bool) -> Error | None:
        """What an ERR trap was told: ours, or where the script's own begins to run."""
        entry = mine[at]
        if entry.ours:
            return Error.written(entry)
        before = mine[at - 1] if at else entry
        begins = entry.depth == before.depth + 1 and entry.line == before.line and entry.frame == before.frame
        if own_trap and begins and entry.status and before.word not in (b"eval", b".", b"source", b"builtin"):
            return Error(entry, entry.status, entry.pipe, entry.flags)
        return None

    def functions(self) -> set[bytes]:
        return self._called | self.texts.functions()

    def _at_error(self, before: list[Entry], error: Error) -> Place | None:
        """A command failed and the script ended. `before` is what this shell wrote until then."""
        last = next((entry for entry in reversed(before) if not entry.ours), None)
        position = error.entry.positions()[0]
        children = self._between(last, error.entry)
        if len(error.pipe) > 1:
            return self._in_pipeline(position, error, children)
        if last is not None and last.assigns and (inner := self._in_substitution(before, last, error.status)):
            return inner
        if self.texts.in_subshell(position.source, position.line):
            inside = self._in_subshell(error, children)
            if inside or error.entry.pid == self._main:
                return inside or self._bare(position)
        elif children and not self.texts.script(position.source):
            return self._bare(position)
        if last is None or last.frame != error.entry.frame:
            return self._bare(position)
        return self._of_command(last, position, error)

    def _of_command(self, last: Entry, position: Position, error: Error) -> Place | None:
        """The last command of the same call failed, if the text agrees."""
        start = self.texts.start(position.source, last.line, last.word)
        if not any(error.pipe):  # a condition is false, of which bash 4 names no line, or a redirection fails
            return Place(position.source, start) if start and last.text.startswith(CONDITIONS) else None
        if last.line != position.line or (start is None and last.raw):
            return self._bare(position)
        if start is None and last.beyond > 0:  # an eval stands there
            start = self.texts.start(position.source, last.line, None)
        name = self._program(last, error.status)
        return Place(position.source, start, name, error.status) if start else None

    def _bare(self, position: Position) -> Place | None:
        start = self.texts.start(position.source, position.line, None)
        return Place(position.source, start) if start else None

    def _between(self, last: Entry | None, until: Entry) -> list[Entry]:
        """What other shells wrote since the last command of this one began."""
        begin = last.at + 1 if last else 0
        return [entry for entry in self.entries[begin : until.at] if entry.pid != until.pid]

    def _in_subshell(self, error: Error, children: list[Entry]) -> Place | None:
        """( … ) failed: where in it, if there was one alone."""
        pids = {child.pid for child in children if child.depth < error.entry.depth}
        if len(pids) != 1:
            return None
        return self.failure(pids.pop(), error.status, children[0].at)

    def _in_substitution(self, before: list[Entry], last: Entry, status: int) -> Place | None:
        """x=$(…) failed: where in it, if the last substitution is known."""
        earlier = [entry for entry in before if entry.at < last.at]
        children = self._between(earlier[-1] if earlier else None, last)
        direct = [child for child in children if child.depth == last.depth + 1]
        if not direct:
            return None
        pid = direct[-1].pid
        written = [child for child in children if child.pid == pid]
        place = self.failure(pid, status, written[0].at)
        if place and all(child.functions == last.functions for child in written):
            # Of a substitution over several lines bash may name any line.
            place.line = self.texts.start(last.sources[0], last.line, None) or place.line
        return place

    def _in_pipeline(self, position: Position, error: Error, children: list[Entry]) -> Place | None:
        """One part of a | b failed: which program, if the text and the record agree on it."""
        failed = max((at for at, status in enumerate(error.pipe) if status), default=0)
        if sum(map(bool, error.pipe)) == 1 and (inside := self._in_one_of(children, error.pipe[failed])):
            return inside
        place = self._bare(position)
        commands = self.texts.pipeline(position.source, position.line, len(error.pipe))
        command, code = (commands[failed] if commands else None), error.pipe[failed]
        name = command.name() if command and not (code == NOT_OPENED and command.opens_files()) else None
        if place and name and name not in self.functions():
            place.command, place.code = named(name), code
        return place

    def _in_one_of(self, children: list[Entry], status: int) -> Place | None:
        """Where the only one of some shells failed that ended with that status, if that is so."""
        some = [child for child in children if not self.texts.in_background(child.positions())]
        first = {child.pid: child.at for child in reversed(some)}
        found = [self.failure(pid, status, at) for pid, at in first.items()]
        places = [place for place in found if place]
        return places[0] if len(places) == 1 else None

    def _at_exit(self, mine: list[Entry], at: int, *, own_trap: bool) -> Place | None:
        """`exit` was called: there, or where the helper that holds it was called."""
        positions = mine[at].positions()
        start = self.texts.start(positions[0].source, positions[0].line, b"exit")
        level = 0
        while start and level + 1 < len(positions):
            caller = positions[level + 1]
            if not self.texts.helps(positions[level], caller):
                break
            start = self.texts.start(caller.source, caller.line, positions[level].function)
            level += 1
        if not start or not self.texts.stand(positions[level:]):
            return self._in_trap(mine, at, own_trap=own_trap)
        return Place(positions[level].source, start, *self._program_before(mine, at, level))

    def _program_before(self, mine: list[Entry], at: int, level: int) -> tuple[bytes, int | None]:
        """The program that failed directly before `exit`, if that is certain."""
        leave = following = mine[at]
        frame = (leave.pid, leave.functions[level:], leave.lines[level:])
        called = level == 0
        for entry in reversed(mine[:at]):
            if entry.ours:
                continue
            if not called:
                ran = entry.word not in self.functions() and self.texts.runs_given(entry.positions()[0])
                if ran and any(following.pipe):
                    return self._failed(mine, entry, following, entry.frame)
                following = entry
                called = entry.frame == frame and entry.word == leave.functions[level - 1]
            elif message(entry) and entry.frame == frame:
                following = entry
            else:
                return self._failed(mine, entry, following, frame)
        return UNKNOWN, None

    def _failed(
        self, mine: list[Entry], entry: Entry, following: Entry, frame: tuple[object, ...]
    ) -> tuple[bytes, int | None]:
        """What an entry ran and how that ended, as the following one tells, if something looked at that."""
        if self.texts.untested(entry.positions()[0], None if entry.assigns else entry.word):
            return UNKNOWN, None
        children = self._between(entry, following)
        depth = len(entry.functions) - len(following.functions)
        if (
            not any(following.pipe)
            or depth < 0
            or (entry.pid, entry.functions[depth:], entry.lines[depth:]) != frame
        ):
            return UNKNOWN, None
        if entry.assigns:
            earlier = [each for each in mine if each.at < entry.at]
            children += self._between(earlier[-1] if earlier else None, entry)
            entry = children[-1] if children else entry
            children = [child for child in children if child.pid != entry.pid]
        if self._waited_for(children, entry.depth):
            entry = children[-1]
        elif children:
            return UNKNOWN, None
        if len(following.pipe) > 1:
            return UNKNOWN, None
        return self._program(entry, following.pipe[-1], tested=True), following.pipe[-1]

    def _waited_for(self, children: list[Entry], depth: int) -> bool:
        """Whether these are one ( … ) of the script's, which it waited for; not a job in the background."""
        if len({child.pid for child in children}) != 1 or all(child.depth != depth for child in children):
            return False
        return all(self.texts.waits_for(child.positions()) for child in children)

    def _program(self, entry: Entry, code: int, *, tested: bool = False) -> bytes:
        """What an entry ran, if it is a program, and it surely ran."""
        if code == NOT_OPENED and self.texts.opens_files(entry.positions()[0], entry.word):
            return UNKNOWN
        return self.texts.told(certain_program(entry, self.functions(), tested=tested), entry, code)

    def _in_trap(self, mine: list[Entry], at: int, *, own_trap: bool) -> Place | None:
        """`exit` in a trap: if it is the script's own ERR trap, what failed stands before it."""
        begin = at
        while begin and mine[begin].beyond > 0:
            error = self._error(mine, begin, own_trap=own_trap)
            if error:
                return self._at_error(mine[:begin], error)
            begin -= 1
        return self._at_end(mine[:at], mine[at].status, own_trap=own_trap)

    def _at_end(self, mine: list[Entry], code: int, *, own_trap: bool) -> Place | None:
        """The script ran to its end, and its last command failed."""
        at = next((at for at, entry in enumerate(mine) if self._of_exit_trap(entry)), len(mine))
        if at < len(mine):
            code = mine[at].status
        end = mine[at].at if at < len(mine) else len(self.entries)
        mine = mine[:at]
        if not mine or not code or (own_trap and self._before_another(mine[-1], end)):
            return None
        last, position = mine[-1], mine[-1].positions()[0]
        if last.ours:
            begin = len(mine) - 1
            while begin and mine[begin - 1].ours:
                begin -= 1
            error = Error.written(mine[begin])
            ended = error.status == code and self._ended(mine[begin], code)
            return self._at_error(mine[:begin], error) if ended else None
        if last.word == b"exec" and len(last.text.split()) > 1:
            return self._replaced(last, code)
        nounset, ended = b"u" in last.flags, self._ended(last, code)
        if last.word in (b".", b"source") and code == 1:
            return self._bare(position) if ended else None
        if b"e" in last.flags and own_trap and (code not in AMBIGUOUS or (ended and not nounset)):
            return Place(position.source, position.line, self._program(last, code), code)
        if code == 1 and not nounset and self._is_last(last):
            return self._bare(position)
        if code in UNSET and not own_trap:
            line = self.texts.unset_after(position, last.word, nounset=nounset)
            return Place(position.source, line) if line else None
        return None

    def _before_another(self, last: Entry, end: int) -> bool:
        """Whether not what was written last failed: an ERR trap ran, or other shells wrote since then."""
        others = any(each.pid != last.pid for each in self.entries[last.at + 1 : end])
        return not last.ours and (last.beyond > 0 or others)

    def _ended(self, last: Entry, code: int) -> bool:
        """Whether the script surely ended there, and not by an unset variable in what comes next."""
        name, nounset = None if last.ours else last.word, b"u" in last.flags
        goes_on = self.texts.goes_on(last.positions()[0], name, nounset=nounset)
        return code not in UNSET or last.pid != self._main or goes_on or self._is_last(last)

    def _is_last(self, entry: Entry) -> bool:
        """Whether the script's text ends with it, and so does whatever sourced it."""
        return all(self.texts.last(each.source, each.line) for each in entry.positions())

    def _replaced(self, last: Entry, code: int) -> Place | None:
        """The shell became another program, which failed. A further shell may have failed anywhere."""
        name = self.texts.told(named(last.text.split()[1]), last, code)
        place = self._bare(last.positions()[0])
        if (
            place is None
            or name in SHELLS
            or any(name == os.path.basename(source) for source in last.sources)
        ):
            return None
        place.command, place.code = name, (code if name != UNKNOWN else None)
        return place

    def _of_exit_trap(self, entry: Entry) -> bool:
        """Whether bash says that it or a call of it stands on line 1, where the text has no such command."""
        positions = entry.positions()
        names = [None if entry.ours else entry.word or None, *(each.function for each in positions)]
        return any(at.line == 1 and not self.texts.calls(at, name) for at, name in zip(positions, names))
