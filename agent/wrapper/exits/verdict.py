"""Which program's failure ended a shell script: told from the kernel's exit events and the script's text.

A wrong name is worse than none. A program is named only if the script can have ended in no other way.
"""

from __future__ import annotations

from agent.wrapper.exits.commands import Commands
from agent.wrapper.exits.processes import tree
from agent.wrapper.exits.programs import NAME_LENGTH, Programs
from agent.wrapper.exits.replay import CannotTell
from agent.wrapper.exits.state import SOME, Scope, State
from agent.wrapper.exits.texts import Texts
from agent.wrapper.exits.words import ANSWERING, BECOMING, PREFIXES
from agent.wrapper.failure.programs import PLAIN
from agent.wrapper.shell.reader import read
from agent.wrapper.shell.script import SHELLS
from agent.wrapper.shell.syntax import Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.exits.state import Blame
    from agent.wrapper.exits.taskstats import Exit
    from agent.wrapper.process.caller import Environment
    from agent.wrapper.shell.script import ShellRun

EXITS_WITH_2 = (b"dash", b"busybox")
"""Shells that end with 2 at any error of their own."""

WITHOUT_PROCESS = frozenset(b"ksh ksh93 mksh lksh pdksh zsh".split())
"""Shells that run a subshell, or the last part of a pipeline, in their own process."""

TAKING = (b".", b"source", b"eval")
"""Commands of a shell that take other text into the script."""

STOPPED = tuple(128 + signal for signal in (1, 2, 3, 15))
"""Codes of a program that somebody ended: SIGHUP, SIGINT, SIGQUIT, SIGTERM."""


def failed_step(
    exits: list[Exit], cmd: int, run: ShellRun, text: bytes, environment: Environment, code: int
) -> tuple[bytes, int] | None:
    """The program that failed and its exit code, if that is certain. The last exit is CMD's own."""
    if exits[-1].pid != cmd or exits[-1].status != code:
        return None
    script = read(text)
    if script.odd or (script.bashism and run.shell != b"bash"):
        return None
    main = tree(exits)
    texts = Texts(script, environment, nounset=b"u" in run.options)
    if main.name not in {name[:NAME_LENGTH] for name in run.names}:
        name = _full_name(main.name, texts)  # the script's last word was `exec`
        return (name, code) if name and name not in SHELLS and _plain(name) else None
    replay = Commands(
        texts,
        Programs(environment, moves=script.assigns(b"PATH")),
        in_process=run.shell in WITHOUT_PROCESS,
        fatal=2 if run.program in EXITS_WITH_2 else SOME,
    )
    replay.children = replay.main = main.children
    arguments = tuple(Word(word, word, 0, []) for word in run.arguments)
    start = State(errexit=b"e" in run.options, pipefail=b"pipefail" in run.options, arguments=arguments)
    try:
        ends = replay.sequence(script.body, start, Scope())
        blames = {blame for kind, end in ends for blame in replay.ended(kind, end, code)}
    except (CannotTell, RecursionError):
        return None
    return _certain(blames, texts)


def reads_others(text: bytes) -> bool:
    """Whether a script takes other text into itself, so that what fails need not stand in its own file."""
    for command in read(text).commands:
        words = command.words[command.first :]
        while words and words[0].value in PREFIXES:
            words = words[1:]
        if words and words[0].value in TAKING:
            return True
    return False


def _certain(blames: set[Blame | None], texts: Texts) -> tuple[bytes, int] | None:
    """The one program that all of these are due to."""
    found = {blame and blame.process for blame in blames}
    if len(found) != 1 or None in found:
        return None
    process = next(blame.process for blame in blames if blame)
    words = {(blame and blame.word) or b"" for blame in blames}
    name = _full_name(process.name, texts)
    if process.name in SHELLS and not words <= SHELLS | BECOMING:
        name = words.pop() if len(words) == 1 else None  # a script without a first line, which a shell runs
    return (name, process.status) if name and _plain(name) and process.status not in STOPPED else None


def _plain(name: bytes) -> bool:
    return name not in ANSWERING and PLAIN.fullmatch(name) is not None


def _full_name(name: bytes, texts: Texts) -> bytes | None:
    """The name as the text writes it, where the kernel may have cut it; None where that is not known."""
    if len(name) < NAME_LENGTH:
        return name
    found = {word for word in texts.names if word.startswith(name)}
    return found.pop() if len(found) == 1 else None
