# ruff: noqa: INP001 - beside a script
"""Completions for bash, zsh and fish, each a file that is drawn whole from the command line's own parsers."""

from collections.abc import Callable

from docs.commands import Command, commands

PROGRAMS = ("rollcall", "rollcall-collector")
HEAD = "# Drawn by docs/draw.py from the command line's own tables."
BASH = """# shellcheck shell=bash
{head}
{function}() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} path='' words='' at
    for ((at = 1; at < COMP_CWORD; at++)); do
        if [ "$path ${{COMP_WORDS[at]}}" = ' wrap --' ]; then
            mapfile -t COMPREPLY < <(compgen -cf -- "$word")
            return
        fi
        case "$path ${{COMP_WORDS[at]}}" in
        {paths}) path="$path ${{COMP_WORDS[at]}}" ;;
        esac
    done
    case $path in
{cases}
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -o default -F {function} {program}
"""
ZSH = """#compdef {program}
{head}
local typed='' at
local -a found
for ((at = 2; at < CURRENT; at++)); do
    if [[ "$typed $words[at]" == ' wrap --' ]]; then
        shift $at words
        ((CURRENT -= at))
        _normal
        return
    fi
    case "$typed $words[at]" in
    ({paths}) typed="$typed $words[at]" ;;
    esac
done
case $typed in
{cases}
esac
_describe {program} found || _files
"""


def bash(program: str) -> str:
    """The completion for bash."""
    tree = commands(program)
    cases = [f"    {_path(command)}) words='{' '.join(_next(command))}' ;;" for command in tree]
    return BASH.format(
        head=HEAD, program=program, function=_function(program), paths=_paths(tree), cases="\n".join(cases)
    )


def zsh(program: str) -> str:
    """The completion for zsh; it shows what each word does."""
    cases = []
    for command in (tree := commands(program)):
        words = " ".join(_quoted(_described(word, text)) for word, text in _next(command).items())
        cases.append(f"({_path(command)}) found=({words}) ;;")
    return ZSH.format(head=HEAD, program=program, paths=_paths(tree), cases="\n".join(cases))


def fish(program: str) -> str:
    """The completion for fish; each line has the words that must have been typed before."""
    lines = [HEAD]
    for command in commands(program):
        for word, text in _next(command).items():
            seen = [f"__fish_seen_subcommand_from {name}" for name in command.path]
            fresh = [f"not __fish_seen_subcommand_from {' '.join(command.verbs)}"] if command.verbs else []
            when = "; and ".join([*seen, *fresh]) or "true"
            if word.startswith("--"):
                what = f"-l {word[2:]}"
            else:
                what = f"-o {word[1:]}" if word.startswith("-") else f"-a {word}"
            files = " -f" if command.verbs else ""
            lines.append(f"complete -c {program} -n {_quoted(when)}{files} {what} -d {_quoted(text)}")
    return "\n".join(lines) + "\n"


def _next(command: Command) -> dict[str, str]:
    """Every word that may come next, and what it does."""
    options = {name: action.help or "" for action in command.options() for name in action.option_strings}
    arguments = dict.fromkeys(command.words(), "")
    return {**command.verbs, **arguments, **options, "--help": "show what it takes"}


def _path(command: Command) -> str:
    return "'" + "".join(f" {name}" for name in command.path) + "'"


def _paths(tree: list[Command]) -> str:
    return " | ".join(_path(command) for command in tree if command.path)


def _function(program: str) -> str:
    return "_" + program.replace("-", "_")


def _described(word: str, text: str) -> str:
    return f"{word}:{text}" if text else word


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "’").replace("`", "") + "'"


SHELLS: dict[str, Callable[[str], str]] = {
    "docs/completions/{}.bash": bash,
    "docs/completions/_{}": zsh,
    "docs/completions/{}.fish": fish,
}


def files() -> dict[str, str]:
    """Each file's path in the project, and its text."""
    return {path.format(program): draw(program) for path, draw in SHELLS.items() for program in PROGRAMS}
