"""Where a replay of a shell script stands, and what it knows there."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.exits.processes import Process
    from agent.wrapper.shell.syntax import Part, Word

SOME, ANY = -1, -2
"""Codes: one of those with which a shell ends of itself, and one that the shell computes."""

OWN_CODES = (1, 2, 126, 127)
SIGNALLED = 128

RUN, EXIT, RETURN, BREAK, CONTINUE = "run", "exit", "return", "break", "continue"
"""How a command may end: the next one runs, or the script, function or loop is left."""


class Blame(NamedTuple):
    """A program that failed, as it was run."""

    process: Process
    word: bytes | None
    """Its name as the text says it; None where the shell computes that."""
    line: int


class State(NamedTuple):
    """A point that the script may have come to."""

    at: int = 0
    """So many of the shell's children have ended."""
    status: int = 0
    blame: Blame | None = None
    """The program whose failure the status comes from."""
    errexit: bool = False
    pipefail: bool = False
    trap: Word | None = None
    """What runs when the shell ends."""
    saved: frozenset[tuple[bytes, int, Blame | None]] = frozenset()
    """Variables that hold a code, and the program that it comes from."""
    beside: tuple[Part, ...] = ()
    """What was started in the background and has not ended."""
    arguments: tuple[Word, ...] | None = ()
    """$1, $2 and so on; None where they are not known."""

    def ends(self, status: int, blame: Blame | None = None) -> State:
        """After a command that ended so."""
        return self._replace(status=status, blame=blame)

    def takes(self, child: Process, blame: Blame | None) -> State:
        """After the child has ended."""
        return self._replace(at=self.at + 1, status=child.status, blame=blame if child.status else None)

    def saves(self, name: bytes, status: int | None, blame: Blame | None) -> State:
        """The variable holds this code, or (None) something else."""
        others = {each for each in self.saved if each[0] != name}
        return self._replace(saved=frozenset(others if status is None else {*others, (name, status, blame)}))

    def saved_in(self, raw: bytes) -> tuple[int, Blame | None] | None:
        """The code that `$?` or a variable holds, as a word says it; None for any other word."""
        name = raw.strip(b'"').removeprefix(b"$").removeprefix(b"{").removesuffix(b"}")
        if not raw.strip(b'"').startswith(b"$"):
            return None
        if name == b"?":
            return self.status, self.blame
        return next(((status, blame) for saved, status, blame in self.saved if saved == name), None)


class Call(NamedTuple):
    """A simple command's words, the name first, and where they run."""

    words: list[Word]
    state: State
    scope: Scope

    def but(self, words: list[Word]) -> Call:
        """The same place for other words."""
        return self._replace(words=words)


class Scope(NamedTuple):
    """What surrounds a command in the text."""

    tested: bool = False
    """Whether errexit is off, as in the condition of an `if`."""
    cause: Blame | None = None
    """The program because of whose failure the command runs: `fetch || die`."""
    ending: bool = False
    """Whether the script surely ends in failure here, whatever else fails."""
    again: bool = False
    """Whether what failed is tried again after this."""
    calls: int = 0

    def because(self, state: State, *, ending: bool, again: bool = False) -> Scope:
        """Of what runs because a command ended as it did: in a branch of its own, which may be the end.

        After a test of the script's own, no program's failure is the cause; but in a loop that tries again.
        """
        if self.ending or not (state.blame or (state.status and not self.again)):
            return self
        return self._replace(cause=state.blame, ending=ending, again=again and state.blame is not None)


def agrees(status: int, code: int) -> bool:
    """Whether a status of the replay may be this code."""
    own = code in OWN_CODES or code >= SIGNALLED
    return status == code or (status == ANY and code != 0) or (status == SOME and own)
