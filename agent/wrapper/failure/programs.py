"""Which program an entry of the record ran, and whether its name may be told."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from agent.wrapper.failure.record import Entry

UNKNOWN = b"-"
PLAIN = re.compile(rb"[A-Za-z0-9_.+-]{1,64}")
NOT_PROGRAMS = frozenset(
    b"exit return eval source . trap unset local export declare typeset readonly let set shift break "
    b"continue : wait builtin command exec if case for select while until shopt".split()
)
PREDICATES = frozenset(b"[ test [[ (( grep egrep fgrep which command type hash true false read".split())
SHELLS = frozenset(b"sh bash dash ksh zsh env sudo su doas setsid nohup runuser setpriv nice".split())
"""What runs a further script or program, of which nothing is known."""

MESSAGES = frozenset(b"echo printf cat tput".split())

NOT_OPENED = 1
"""How a command ends that did not run, because a redirection failed."""

NOT_THERE = (126, 127)
"""How a command ends if bash found no program of that name, or none that it may run."""


def named(word: bytes) -> bytes:
    """The base name of a program, if it is plain."""
    name = word.rpartition(b"/")[2]
    return (
        name if not name.startswith(b"-") and PLAIN.fullmatch(name) and name not in NOT_PROGRAMS else UNKNOWN
    )


def certain_program(entry: Entry, functions: Container[bytes], *, tested: bool = False) -> bytes:
    """What an entry ran, if it is a program. Where its failure was tested, a predicate is none."""
    word = entry.word
    if word in (b"command", b"builtin"):
        word = [*entry.text.split(), b"-"][1]
    if entry.assigns or word in functions or (tested and word in PREDICATES):
        return UNKNOWN
    return named(word)


def message(entry: Entry) -> bool:
    """Whether it only tells the person something."""
    return entry.word in MESSAGES
