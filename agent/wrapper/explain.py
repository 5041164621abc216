"""`wrap --explain`: how a failure's place would be found, and what keeps a better method out."""

from __future__ import annotations

import os

from agent.wrapper.exits.exits import NotTold, open_exits
from agent.wrapper.failure.rules import LADDER, NONE, UNTIL, XTRACE
from agent.wrapper.failure.trace import choose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.failure.trace import Choice
    from agent.wrapper.process.caller import Environment

EXITS = "exits"
"""What is used where no trace can be: see agent.wrapper.exits."""

SAYS = {
    "xtrace": "each command is noted by bash's own xtrace: failing lines, helpers such as die, programs",
    "traps": "each command is noted by a DEBUG trap, which is slower: lines, helpers such as die, programs",
    "error": "an ERR trap notes what stops the script under set -e, outside functions",
    "exits": "the kernel tells which programs end: the one that failed where that is certain, and no line",
    "none": "nothing is noted, so no place is reported",
}


def explain(argv: list[bytes], environment: Environment) -> str:
    """What `wrap` would do with CMD, in a few lines."""
    choice = choose(argv, environment)
    method, script, not_told = choice.method, choice.script, ""
    if method == NONE:
        try:
            exits = open_exits(argv, environment)
        except NotTold as why:
            not_told = str(why)
        else:
            exits.forget()
            method, script = EXITS, exits.script
    lines = [f"script: {_name(script)}"] if script is not None else []
    lines.append(f"method: {method}: {SAYS[method]}")
    if choice.why:
        lines.append(f"because: {choice.why}")
    lines += _kept_out(choice)
    lines += [f"not {EXITS}: {not_told}"] if not_told else []
    lines += _until(choice)
    return "".join(line + "\n" for line in lines)


def _kept_out(choice: Choice) -> list[str]:
    """For each better method the rules that keep it out."""
    lines = []
    for method in LADDER:
        if method == choice.method:
            break
        for finding in choice.found:
            if method in finding.rule.excludes:
                where = f"{_name(finding.source)} line {finding.line}"
                lines.append(f"not {method}: {where}: {finding.rule.why} ({finding.rule.name})")
    return lines


def _until(choice: Choice) -> list[str]:
    """Before which lines xtrace makes way for the ERR trap."""
    if choice.method != XTRACE:
        return []
    return [
        f"until {_name(finding.source)} line {finding.line}: {finding.rule.why} ({finding.rule.name})"
        for finding in choice.found
        if finding.rule.name in UNTIL
    ]


def _name(path: bytes) -> str:
    return os.fsdecode(path) or "stdin"
