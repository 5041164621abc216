"""What single words and commands of a shell script say."""

from __future__ import annotations

import re

from agent.wrapper.exits.syntax import Simple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.exits.syntax import Chain, Command, Word

SAME, ANY = -1, -2
"""Codes: that of the program that failed, and one that the shell computes."""

BECOMING = frozenset(
    [
        "env",
        "nice",
        "ionice",
        "nohup",
        "setsid",
        "stdbuf",
        "chroot",
        "chrt",
        "taskset",
        "sudo",
        "doas",
        "su",
        "runuser",
        "setpriv",
        "unshare",
        "nsenter",
    ]
)
"""Programs that become the one that they are told to run."""

PREFIXES = frozenset(("command", "exec", "builtin", "noglob"))
"""Words of the shell's own before a command."""

QUIET = frozenset(("", ":", "true", "echo", "set", "export", "local", "readonly", "unset"))
"""Commands of the shell's own that neither fail nor run anything."""

OWN = (
    QUIET
    | PREFIXES
    | frozenset(
        [
            ".",
            "[",
            "alias",
            "bg",
            "break",
            "cd",
            "continue",
            "declare",
            "eval",
            "exit",
            "false",
            "fg",
            "getopts",
            "hash",
            "jobs",
            "kill",
            "let",
            "print",
            "printf",
            "pwd",
            "read",
            "return",
            "shift",
            "source",
            "test",
            "times",
            "trap",
            "type",
            "typeset",
            "ulimit",
            "umask",
            "unalias",
            "wait",
            "whence",
        ]
    )
)
"""Commands that are no program in some shell."""


def base(word: str) -> str:
    return word.rpartition("/")[2]


def pieces(text: str) -> list[str]:
    """What in a text may be a program's name."""
    return [base(piece) for piece in re.findall(r"[A-Za-z0-9_.+/-]+", text)]


def name_of(word: Word) -> str | None:
    """The base name of the program that a word runs, if it stands there, whatever its folder."""
    if word.text is not None:
        return base(word.text)
    found = re.search(r"/([A-Za-z0-9_.+-]+)$", word.raw.replace('"', ""))
    return found[1] if found else None


def code_of(command: Simple, code: int) -> int:
    """The code that `exit` or `return` says; the given one where it is that of the last command."""
    operands = command.words[1:]
    if not operands or operands[0].raw in ("$?", '"$?"'):
        return code
    text = operands[0].text or ""
    return int(text) & 255 if text.isascii() and text.isdecimal() else ANY


def sets_errexit(command: Command) -> bool | None:
    return sets(command, "e", "errexit")


def sets(command: Command, letter: str, name: str) -> bool | None:
    """Whether a command sets this option or unsets it; None for any other."""
    if not isinstance(command, Simple) or command.name != "set":
        return None
    words = [word.text or "" for word in command.words]
    for at, word in enumerate(words[1:], 1):
        if word in ("--", "-"):
            return None
        if word[:1] in ("-", "+") and (
            letter in word[1:] or (word[-1:] == "o" and words[at + 1 :][:1] == [name])
        ):
            return word[0] == "-"
    return None


def asks(chain: Chain) -> bool | None:
    """Whether a test of $? is true after a failure; None where the command is no such test."""
    pipeline = chain.parts[0][1]
    command = pipeline.commands[0]
    if len(pipeline.commands) > 1 or pipeline.negated or not isinstance(command, Simple):
        return None
    words = [word.raw.strip('"') for word in command.words]
    if words[:1] not in (["["], ["test"]) or words[1:2] != ["$?"] or words[3:4] != ["0"]:
        return None
    return {"-ne": True, "!=": True, "-gt": True, "-eq": False, "=": False}.get(words[2])


def leaves(command: Command, functions: dict[str, list[Command]]) -> bool:
    return isinstance(command, Simple) and (
        command.name in ("exit", "return", None) or command.name in functions
    )
