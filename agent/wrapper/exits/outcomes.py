"""What a command's failure may lead to, and from where."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Outcomes: TypeAlias = "list[Ends | Lives]"


class Ends:
    """The script ends with this code."""

    def __init__(self, code: int) -> None:
        self.code = code


class Lives:
    """The script goes on. `then` is the program that surely runs next, if that can be told."""

    def __init__(self, then: str | None = None) -> None:
        self.then = then


class Where:
    """A point in the script: what failure, success, `exit` and `return` of a command lead to from here."""

    def __init__(
        self,
        fail: Callable[[int], Outcomes],
        win: Callable[[], Outcomes],
        leave: Callable[[int], Outcomes],
        back: Callable[[int], Outcomes],
        errexit: bool | None,  # noqa: FBT001 - True, False, or None where it cannot be told
        ending: bool = False,  # noqa: FBT001, FBT002 - whether the script was ending when it came here
    ) -> None:
        self.fail = fail
        self.win = win
        self.leave = leave
        self.back = back
        self.errexit = errexit
        self.ending = ending

    def but(self, **changed: object) -> Where:
        return Where(**{**self.__dict__, **changed})


def go_on(_code: int = 0) -> Outcomes:
    return [Lives()]


def end(code: int = 0) -> Outcomes:
    return [Ends(code)]


def nowhere(where: Where) -> Where:
    """A point from which no failure leads anywhere."""
    return where.but(fail=go_on, win=go_on, leave=go_on, back=go_on)


def apart(where: Where) -> Where:
    """The inside of a process of its own: `exit` and `return` end that alone."""

    def leave(code: int) -> Outcomes:
        return where.win() if code == 0 else where.fail(code)

    return where.but(leave=leave, back=leave)
