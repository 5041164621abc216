"""What a script's text does that a method might show in: each function gives the lines that do it."""

from __future__ import annotations

from agent.wrapper.failure.looks import begins_with
from agent.wrapper.shell.syntax import assigned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.failure.looks import Look
    from agent.wrapper.shell.syntax import Command

USED = frozenset(b": kill set wait trap printf builtin unset".split())
OURS = (b"__rollcall", b"PS4", b"BASH_XTRACEFD")
MODES = frozenset(b"posix verbose restricted extdebug".split())
MODE_NAMES = (b"POSIXLY_CORRECT", b"BASH_COMPAT")
OPTIONS = frozenset(b"xtrace errtrace functrace errexit nounset pipefail noglob noclobber allexport".split())
UNCHANGED = frozenset(
    b"exe cgroup comm cmdline cwd mountinfo mounts ns root uid_map gid_map loginuid net sys".split()
)
"""Files of /proc/PID that are the same with a trace."""


def odd(look: Look) -> list[int]:
    return [look.script.odd] if look.script.odd else []


def unknown_source(look: Look) -> list[int]:
    return [command.line for command in look.unknown]


def computed_eval(look: Look) -> list[int]:
    return [command.line for command in _computed_evals(look)]


def unknown_inside(look: Look) -> list[int]:
    """An eval or a sourced file of which nothing is known, in a subshell, a substitution or a pipeline."""
    return [command.line for command in stops(look) if command.inner or command.apart]


def stops(look: Look) -> list[Command]:
    """Before these, xtrace has to stop."""
    return [*look.unknown, *_computed_evals(look)]


def _computed_evals(look: Look) -> list[Command]:
    return [
        command
        for command, words in look.runs(b"eval")
        if any(word.value is None and _computed(look, word.raw) for word in words)
    ]


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


def alias(look: Look) -> list[int]:
    """Aliases mean nothing to a script that does not ask for them."""
    return [line for line, given in look.given(b"shopt", b"set") if b"expand_aliases" in given]


def replaced(look: Look) -> list[int]:
    return [look.script.functions[name].line for name in USED & look.script.functions.keys()]


def own_name(look: Look) -> list[int]:
    return [1] if b"__rollcall" in look.text else []


def lists_traps(look: Look) -> list[int]:
    def lists(given: list[bytes]) -> bool:
        return not given or (given[0] in (b"-p", b"-P", b"--") and len(given) <= len(("-p", "SIGNAL")))

    return [line for line, given in look.given(b"trap") if lists(given)]


def _traps(look: Look, *signals: bytes) -> list[int]:
    """The traps that are set for one of these, or that may be: then the name stands somewhere."""
    text = look.text.replace(b'"', b" ").replace(b"'", b" ").split()
    named = any(signal in text for signal in signals)
    found = []
    for line, given in look.given(b"trap"):
        names = {word.upper().removeprefix(b"SIG") for word in given[1:]}
        if names & set(signals) or (b"\0" in names and named):
            found.append(line)
    return found


def debug_trap(look: Look) -> list[int]:
    return _traps(look, b"DEBUG")


def return_trap(look: Look) -> list[int]:
    return _traps(look, b"RETURN")


def err_trap(look: Look) -> list[int]:
    return _traps(look, b"ERR")


def own_signal(look: Look) -> list[int]:
    return _traps(look, b"URG", b"CHLD", b"23", b"17")


def lists_variables(look: Look) -> list[int]:
    def only_options(given: list[bytes]) -> bool:
        return all(word.startswith((b"-", b"+")) and not {*b"fF"} & {*word} for word in given)

    prefixes = [name for name in look.script.variables if name.startswith(b"!") and len(name) > 1]
    return [
        *(line for line, given in look.given(b"set") if not given),
        *(line for line, given in look.given(b"compgen") if {b"-v", b"variable"} & {*given}),
        *(line for line, given in look.given(b"declare", b"typeset", b"readonly") if only_options(given)),
        *look.names(*(name for name in prefixes if any(ours.startswith(name[1:]) for ours in OURS))),
    ]


def lists_options(look: Look) -> list[int]:
    return [
        *(line for line, given in look.given(b"set") if given in ([b"-o"], [b"+o"])),
        *(
            line
            for line, given in look.given(b"shopt")
            if any(word[:1] == b"-" and b"o" in word for word in given)
        ),
        *(line for line, given in look.given(b"[", b"test", b"[[") if b"-o" in given and OPTIONS & {*given}),
        *look.names(b"-", b"SHELLOPTS", b"BASHOPTS", *OPTIONS),
        *look.speaks(b"SHELLOPTS", b"BASHOPTS"),
    ]


def restores_options(look: Look) -> list[int]:
    def restores(given: list[bytes]) -> bool:
        return given[:1] == [b"\0"] or (given[:1] in ([b"-o"], [b"+o"]) and b"\0" in given)

    return [line for line, given in look.given(b"set") if restores(given)]


def _sets(look: Look, letters: bytes, *names: bytes) -> list[int]:
    """The `set` commands that change one of these options."""
    found = []
    for line, given in look.given(b"set"):
        named = False
        for word in given:
            option = not named and word[:1] in (b"-", b"+") and word not in (b"--", b"-")
            if (named and word in names) or (option and set(word[1:]) & set(letters)):
                found.append(line)
            if not named and not option:
                break
            named = option and b"o" in word
    return found


def own_xtrace(look: Look) -> list[int]:
    names = (b"PS4", b"BASH_XTRACEFD")
    return [*_sets(look, b"x", b"xtrace"), *look.names(*names), *look.speaks(*names)]


def xtrace_elsewhere(look: Look) -> list[int]:
    return [*look.names(b"BASH_XTRACEFD"), *look.speaks(b"BASH_XTRACEFD")]


def sets_errtrace(look: Look) -> list[int]:
    return _sets(look, b"E", b"errtrace")


def looks_at_itself(look: Look) -> list[int]:
    if b"/proc/" not in look.text and b"/dev/fd" not in look.text and b"lsof" not in look.text:
        return []
    folders = [
        command.line for command in look.commands if any(_own_folder(word.raw) for word in command.parts())
    ]
    return [*folders, *(line for line, given in look.given(b"lsof") if b"-p" in given)]


def _own_folder(raw: bytes) -> bool:
    """Whether it speaks of what /proc says of this shell, but for what a trace does not change."""
    if b"/dev/fd/*" in raw:
        return True
    for start in (b"/proc/self", b"/proc/$", b"/proc/*", b"/proc/["):
        _, found, rest = raw.partition(start)
        file = rest.replace(b'"', b"").partition(b"/")[2].removeprefix(b"fd/")
        what = file.split(b"/")[0].split(b" ")[0].rstrip(b");}'")
        if found and what not in UNCHANGED and not what.isdigit():
            return True
    return False


def computed_descriptor(look: Look) -> list[int]:
    """What may close our descriptor: `{name}>&-` of one that the text does not open, or an eval."""
    redirections = [(command.line, *each) for command in look.commands for each in command.redirections]
    opened = {name for _, name, operator, _ in redirections if not operator.endswith(b"&")}
    closes = [
        line
        for line, name, operator, target in redirections
        if operator in (b">&", b"<&")
        and name.startswith(b"{")
        and name not in opened
        and target.raw[:1] == b"-"
    ]
    evals = [
        command.line
        for command, words in look.runs(b"eval")
        if any(b">&-" in word.raw or b"<&-" in word.raw for word in words)
    ]
    return closes + evals


def limits_files(look: Look) -> list[int]:
    def limits(given: list[bytes]) -> bool:
        options = [word for word in given if word.startswith(b"-")]
        return any(b"f" in word for word in options) or bool(given and not options)

    return [line for line, given in look.given(b"ulimit") if limits(given)]


def pid_of_substitution(look: Look) -> list[int]:
    """Where $! may be the pid of a <(…): the last that was started before it, as far as the text shows."""
    substitutes = [command for command in look.commands if _has(command, b"<(", b">(")]
    last: Command | None = None
    for command in look.commands if substitutes and look.names(b"!") else ():
        last = command if command in substitutes else last
        if _has(command, b"$!", b"${!}") and (last is None or last in substitutes):
            return [command.line]
        last = command if command.background else last
    return []


def _has(command: Command, *marks: bytes) -> bool:
    return any(mark in word.raw for word in command.parts() for mark in marks)


def special_mode(look: Look) -> list[int]:
    return [
        *(line for line, given in look.given(b"shopt") if b"extdebug" in given),
        *_sets(look, b"vrp", *MODES),
        *(
            command.line
            for command in look.commands
            if any(assigned(word.raw) in MODE_NAMES for word in command.words)
        ),
        *look.names(b"BASH_ARGV", b"BASH_ARGC"),
    ]
