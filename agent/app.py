"""What every verb is handed: the real world, taken in one place so that tests can choose another."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from agent.base.messages import print_message
from agent.config.situation import Situation, read_situation, working_directory
from agent.events import catalogue, facts, identity
from agent.events.shown import read_shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DONE, COULD_NOT, WRONG_USE = 0, 1, 2
"""The exit codes; each verb returns one."""


class CouldNot(Exception):  # noqa: N818 - reads as what it says
    """The verb could not do what was asked (exit 1); the text says why and what to do."""


class WrongUse(Exception):  # noqa: N818 - reads as what it says
    """The call is wrong (exit 2); the text says what is accepted."""


@dataclass
class App:
    """The caller's surroundings and the clock."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    cwd: str = field(default_factory=working_directory)
    uid: int = field(default_factory=os.geteuid)
    root: str = "/"
    now: Callable[[], float] = time.time
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)

    @cached_property
    def situation(self) -> Situation:
        """Decision, settings and places, looked at once."""
        return read_situation(self.environ, cwd=self.cwd, uid=self.uid, root=self.root)

    @property
    def name(self) -> str:
        """What the command of this installation is called, for words on what to type next."""
        return self.situation.command

    def reread_situation(self) -> Situation:
        """The situation after a docker.env was changed."""
        del self.situation
        return self.situation

    def origin(self, instance: str) -> catalogue.Origin:
        """Who speaks in this instance's events."""
        settings = self.situation.settings
        return catalogue.Origin(
            instance,
            settings.product,
            settings.product_version,
            facts.system(self.root),
            read_shown(self.situation.state),
            settings.environment,
        )

    def read_instance(self) -> str | None:
        """The instance id of the next event; None if that will have a new one. Writes nothing."""
        return identity.read_valid(self.situation.state, facts.machine_id(self.environ, self.root))

    def ensure_instance(self) -> str:
        """The instance id, made if there is none. Only for those who may record."""
        return identity.ensure(self.situation.state, facts.machine_id(self.environ, self.root))

    def say(self, text: str) -> None:
        """A word to the person who called."""
        print_message(text, self.err)
