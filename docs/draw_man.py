# ruff: noqa: INP001 - beside a script
"""The drawn parts of the manual pages, in the language of man(7)."""

import argparse
import re
from collections.abc import Callable, Iterable

from agent.config.consent import RULES
from agent.config.settings import SETTINGS, Setting
from agent.events import catalogue
from collector.settings import PREFIX
from collector.settings import SETTINGS as COLLECTOR_SETTINGS
from docs.commands import Command, commands

COMMANDS = ("docs/man/rollcall.1", "docs/man/rollcall-collector.1")
PAGES = (*COMMANDS, "docs/man/docker.env.5")
ONLY_FROM_THE_ENVIRONMENT = "ROLLCALL_ENV_FILE"


def roff(text: str) -> str:
    """Words of a table as roff prints them: a link is its words, and no line is taken for a request."""
    words = re.sub(r"\[([^]]+)]\([^)]+\)", r"\1", text)
    escaped = words.replace("\\", r"\e").replace("-", r"\-").replace("`", "")
    return re.sub(r"^([.'])", r"\\&\1", escaped)


def entry(head: str, text: str) -> str:
    """One paragraph with its head in bold."""
    return f".TP\n.B {roff(head)}\n{roff(text)}"


def verb_list(program: str) -> Callable[[], str]:
    """Every verb with its arguments and options; the page itself tells of --db, which many share."""

    def drawn() -> str:
        verbs = [command for command in commands(program) if command.path and not command.verbs]
        return "\n".join(line for verb in verbs for line in _verb(program, verb))

    return drawn


def _verb(program: str, verb: Command) -> Iterable[str]:
    usage = " ".join(verb.parser.format_usage().removeprefix("usage: ").split())
    usage = usage.removeprefix(program).replace(" [-h]", "").replace(" [--db URL]", "").strip()
    yield entry(usage, verb.text[0].upper() + verb.text[1:] + ".")
    told = [action for action in verb.shown() if action.help and action.dest != "db"]
    if told:
        yield ".RS"
        yield from (entry(_names(action), action.help or "") for action in told)
        yield ".RE"


def _names(action: argparse.Action) -> str:
    names = ", ".join(action.option_strings)
    value = str(action.metavar or "|".join(action.choices or ()) or action.dest)
    if not names:
        return value
    return names if action.nargs == 0 else f"{names} {value}"


def agent_settings() -> str:
    """Every setting of the agent."""
    return _settings(SETTINGS)


def file_settings() -> str:
    """Every setting that a docker.env may have."""
    return _settings(row for row in SETTINGS if row.name != ONLY_FROM_THE_ENVIRONMENT)


def _settings(rows: Iterable[Setting]) -> str:
    return "\n".join(
        entry(row.name, f"{_sentence(row.meaning)} Takes {row.accepted}.{_default(row.default)}")
        for row in rows
    )


def collector_settings() -> str:
    """Every setting of the collector."""
    return "\n".join(
        entry(PREFIX + row.name, f"{_sentence(row.meaning)}{_default(row.default)}")
        for row in COLLECTOR_SETTINGS
    )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _default(value: str) -> str:
    return f" Default: {value}" if value else ""


def event_list() -> str:
    """Every event, and what it says."""
    parts = []
    for kind in catalogue.CATALOGUE:
        names = ", ".join(prop.name for prop in kind.properties)
        parts.append(entry(kind.name, f"Sent when {kind.meaning}. Properties: {names}."))
    return "\n".join(parts)


def rule_list() -> str:
    """Every rule that `status` can name."""
    return "\n".join(entry(rule, _sentence(words)) for rule, words in RULES.items())


BLOCKS: dict[str, Callable[[], str]] = {
    "verbs of rollcall": verb_list("rollcall"),
    "verbs of rollcall-collector": verb_list("rollcall-collector"),
    "settings of rollcall": agent_settings,
    "settings of docker.env": file_settings,
    "settings of rollcall-collector": collector_settings,
    "events": event_list,
    "rules": rule_list,
}


def filled(text: str) -> str:
    """The page with every block drawn again; KeyError for a block that nobody draws."""
    mark = re.compile(
        r"""(\.\\" drawn: (?P<name>[^,]+), by docs/draw\.py\n).*?(\.\\" end: (?P=name)\n)""", re.DOTALL
    )
    return mark.sub(lambda found: f"{found[1]}{BLOCKS[found['name']]()}\n{found[3]}", text)
