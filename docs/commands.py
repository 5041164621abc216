# ruff: noqa: INP001, SLF001 - beside a script; argparse shows its verbs only in private attributes
"""The verbs of both programs as a tree, read from the parsers that read a command line."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from agent.cli import parser as agent_parser
from collector.cli import build_parser as collector_parser


@dataclass(frozen=True)
class Command:
    """A program, a group of verbs, or a verb."""

    path: tuple[str, ...]
    """What is typed after the program's name; empty for the program itself."""
    text: str
    """What --help says of it."""
    verbs: dict[str, str]
    """The next word and what it does; empty for a verb."""
    parser: argparse.ArgumentParser

    def shown(self) -> list[argparse.Action]:
        """The arguments and options that people use."""
        return [
            action
            for action in self.parser._actions
            if action.help != argparse.SUPPRESS
            and action.dest != "help"
            and not isinstance(action, argparse._SubParsersAction)
        ]

    def options(self) -> list[argparse.Action]:
        return [action for action in self.shown() if action.option_strings]

    def words(self) -> list[str]:
        """What can be typed in the place of an argument, where that is known."""
        arguments = [action for action in self.shown() if not action.option_strings]
        return [word for action in arguments for word in action.choices or ()]


def commands(program: str) -> list[Command]:
    """The program and all that comes below it, in the order of --help."""
    parser = {"rollcall": agent_parser, "rollcall-collector": collector_parser}[program]()
    return list(_walk(parser, (), str(parser.description)))


def _walk(parser: argparse.ArgumentParser, path: tuple[str, ...], text: str) -> Iterator[Command]:
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    texts = {choice.dest: str(choice.help) for group in groups for choice in group._choices_actions}
    yield Command(path, text, texts, parser)
    for group in groups:
        for name, below in group.choices.items():
            yield from _walk(below, (*path, name), texts[name])
