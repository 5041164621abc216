"""What a script's text does that a method might show in: each function gives the first line of it."""

from __future__ import annotations

from agent.wrapper.failure.looks import begins_with, run, values
from agent.wrapper.shell.syntax import assigned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.failure.looks import Look
    from agent.wrapper.shell.syntax import Command

USED = frozenset(b": kill set wait trap printf builtin unset".split())
OURS = (b"__rollcall", b"PS4", b"BASH_XTRACEFD")
LISTED = 3
"""`trap -p SIGNAL` has so many words."""

MODES = frozenset(b"posix verbose restricted extdebug".split())
MODE_NAMES = (b"POSIXLY_CORRECT", b"BASH_COMPAT")
OPTIONS = frozenset(b"xtrace errtrace functrace errexit nounset pipefail noglob noclobber allexport".split())
TESTS = frozenset((b"[", b"test", b"[["))
UNCHANGED = frozenset(
    b"exe cgroup comm cmdline cwd mountinfo mounts ns root uid_map gid_map loginuid net sys".split()
)
"""Files of /proc/PID that are the same with a trace."""

DECLARES = frozenset((b"declare", b"typeset", b"local", b"export", b"readonly"))


def odd(look: Look) -> int | None:
    return look.script.odd


def unknown_source(look: Look) -> int | None:
    return min((command.line for command in look.unknown), default=None)


def computed_eval(look: Look) -> int | None:
    return look.first(lambda command: _evals(look, command))


def unknown_inside(look: Look) -> int | None:
    """An eval or a sourced file of which nothing is known, in a subshell, a substitution or a pipeline."""
    return min((command.line for command in stops(look) if command.inner or command.apart), default=None)


def stops(look: Look) -> list[Command]:
    """Before these, xtrace has to stop."""
    return [*look.unknown, *(command for command in look.commands if _evals(look, command))]


def _evals(look: Look, command: Command) -> bool:
    words = run(command)
    if not words or words[0].value != b"eval":
        return False
    return any(word.value is None and _computed(look, word.raw) for word in words[1:])


def _computed(look: Look, raw: bytes) -> bool:
    """Whether a part of an eval may be any command: not if it assigns, or begins as the text says."""
    if b"$(" in raw or b"`" in raw:
        return True
    raw = raw.lstrip(b'"')
    if not raw.startswith((b"$", b"{")):
        return False
    name = begins_with(raw)
    assigns = raw.lstrip(b"${").removeprefix(name).removeprefix(b"}").startswith(b"=")
    return not (name and (assigns or look.values_of(name) is not None))


def alias(look: Look) -> int | None:
    """Aliases mean nothing to a script that does not ask for them."""
    return look.first(lambda command: b"expand_aliases" in values(command))


def replaced(look: Look) -> int | None:
    return min(
        (look.script.functions[name].line for name in USED & look.script.functions.keys()), default=None
    )


def own_name(look: Look) -> int | None:
    return 1 if b"__rollcall" in look.text else None


def lists_traps(look: Look) -> int | None:
    def holds(command: Command) -> bool:
        words = values(command)
        return words[:1] == [b"trap"] and (
            len(words) == 1 or (words[1] in (b"-p", b"-P", b"--") and len(words) <= LISTED)
        )

    return look.first(holds)


def _traps(look: Look, *signals: bytes) -> int | None:
    """The first trap that is set for one of these, or that may be: then the name stands somewhere."""

    def holds(command: Command) -> bool:
        words = values(command)
        if words[:1] != [b"trap"] or len(words) < LISTED:
            return False
        given = {word.upper().removeprefix(b"SIG") for word in words[2:]}
        return bool(given & set(signals)) or (b"\0" in given and named)

    named = any(_word_in(signal, look.text) for signal in signals)
    return look.first(holds)


def _word_in(word: bytes, text: bytes) -> bool:
    return any(
        word in line.replace(b'"', b" ").replace(b"'", b" ").split()
        for line in text.split(b"\n")
        if word in line
    )


def debug_trap(look: Look) -> int | None:
    return _traps(look, b"DEBUG")


def return_trap(look: Look) -> int | None:
    return _traps(look, b"RETURN")


def err_trap(look: Look) -> int | None:
    return _traps(look, b"ERR")


def own_signal(look: Look) -> int | None:
    return _traps(look, b"URG", b"CHLD", b"23", b"17")


def lists_variables(look: Look) -> int | None:
    def holds(command: Command) -> bool:
        words = values(command)
        if words[:1] == [b"set"] and len(words) == 1:
            return True
        if words[:1] == [b"compgen"]:
            return any(word in (b"-v", b"variable") for word in words)
        if words[0:1] and words[0] in DECLARES - {b"export", b"local"}:
            options = [word for word in words[1:] if word.startswith((b"-", b"+"))]
            return len(options) == len(words) - 1 and not any(
                b"F" in word or b"f" in word for word in options
            )
        return False

    found = [look.first(holds), *(look.names(name) for name in _prefixes(look))]
    return min((line for line in found if line is not None), default=None)


def _prefixes(look: Look) -> list[bytes]:
    """The names of ${!name*} that ours begin with."""
    return [
        name
        for name in look.script.variables
        if name.startswith(b"!") and len(name) > 1 and any(ours.startswith(name[1:]) for ours in OURS)
    ]


def lists_options(look: Look) -> int | None:
    def holds(command: Command) -> bool:
        words = values(command)
        if words[:1] == [b"set"] and len(words) - 1 == 1:
            return words[1] in (b"-o", b"+o")
        if words[:1] == [b"shopt"]:
            return any(word.startswith(b"-") and b"o" in word for word in words[1:])
        if words[:1] and words[0] in TESTS:
            return b"-o" in words and bool(OPTIONS & set(words))
        return False

    found = [
        look.first(holds),
        look.names(b"-", b"SHELLOPTS", b"BASHOPTS", *OPTIONS),
        look.speaks(b"SHELLOPTS", b"BASHOPTS"),
    ]
    return min((line for line in found if line is not None), default=None)


def restores_options(look: Look) -> int | None:
    def holds(command: Command) -> bool:
        words = values(command)
        return (
            words[:1] == [b"set"]
            and len(words) > 1
            and (words[1] == b"\0" or (words[1:2] in ([b"-o"], [b"+o"]) and b"\0" in words[2:]))
        )

    return look.first(holds)


def _sets(command: Command, letters: bytes, names: tuple[bytes, ...]) -> bool:
    words = values(command)
    if words[:1] != [b"set"]:
        return False
    named = False
    for word in words[1:]:
        if named and word in names:
            return True
        if not named and (word in (b"--", b"-") or word[:1] not in (b"-", b"+")):
            return False
        if not named and set(word[1:]) & set(letters):
            return True
        named = not named and b"o" in word[1:]
    return False


def own_xtrace(look: Look) -> int | None:
    found = [
        look.first(lambda command: _sets(command, b"x", (b"xtrace",))),
        look.names(b"PS4", b"BASH_XTRACEFD"),
        look.speaks(b"PS4", b"BASH_XTRACEFD"),
    ]
    return min((line for line in found if line is not None), default=None)


def xtrace_elsewhere(look: Look) -> int | None:
    return look.names(b"BASH_XTRACEFD") or look.speaks(b"BASH_XTRACEFD")


def sets_errtrace(look: Look) -> int | None:
    return look.first(lambda command: _sets(command, b"E", (b"errtrace",)))


def looks_at_itself(look: Look) -> int | None:
    if b"/proc/" not in look.text and b"/dev/fd" not in look.text and b"lsof" not in look.text:
        return None

    def holds(command: Command) -> bool:
        targets = [target for _, _, target in command.redirections]
        return _lsof(command) or any(_own_folder(word.raw) for word in [*command.words, *targets])

    return look.first(holds)


def _own_folder(raw: bytes) -> bool:
    """Whether it speaks of what /proc says of this shell, but for what a trace does not change."""
    if b"/dev/fd/*" in raw:
        return True
    for start in (b"/proc/self", b"/proc/$", b"/proc/*", b"/proc/["):
        _, found, rest = raw.partition(start)
        what = (
            rest.replace(b'"', b"")
            .partition(b"/")[2]
            .removeprefix(b"fd/")
            .split(b"/")[0]
            .split(b" ")[0]
            .rstrip(b");}'")
        )
        if found and what not in UNCHANGED and not what.isdigit():
            return True
    return False


def _lsof(command: Command) -> bool:
    words = values(command)
    return words[:1] == [b"lsof"] and b"-p" in words


def computed_descriptor(look: Look) -> int | None:
    opened = {
        name
        for command in look.commands
        for name, operator, _ in command.redirections
        if not operator.endswith(b"&")
    }

    def holds(command: Command) -> bool:
        return any(
            name.startswith(b"{") and name not in opened and target.raw.startswith(b"-")
            for name, operator, target in command.redirections
            if operator in (b">&", b"<&")
        )

    def evals(command: Command) -> bool:
        words = run(command)
        return (
            bool(words)
            and words[0].value == b"eval"
            and any(b">&-" in word.raw or b"<&-" in word.raw for word in words)
        )

    return look.first(lambda command: holds(command) or evals(command))


def pid_of_substitution(look: Look) -> int | None:
    """Where $! may be the pid of a <(…): the last that was started before it, as far as the text shows."""
    last: Command | None = None
    substitutes = [command for command in look.commands if _has(command, b"<(", b">(")]
    if not substitutes or look.names(b"!") is None:
        return None
    for command in look.commands:
        last = command if command in substitutes else last
        if _has(command, b"$!", b"${!}") and (last is None or last in substitutes):
            return command.line
        last = command if command.background else last
    return None


def _has(command: Command, *marks: bytes) -> bool:
    targets = [target for _, _, target in command.redirections]
    return any(mark in word.raw for word in [*command.words, *targets] for mark in marks)


def special_mode(look: Look) -> int | None:
    def holds(command: Command) -> bool:
        words = values(command)
        if words[:1] == [b"shopt"] and b"extdebug" in words:
            return True
        return _sets(command, b"vrp", tuple(MODES)) and words[:1] == [b"set"]

    sets = look.first(lambda command: any(assigned(word.raw) in MODE_NAMES for word in command.words))
    found = [look.first(holds), sets, look.names(b"BASH_ARGV", b"BASH_ARGC")]
    return min((line for line in found if line is not None), default=None)
