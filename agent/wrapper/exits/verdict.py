"""Which program's failure ended a shell script: told from the kernel's exit events and the script's text.

A wrong name is worse than none. A program is named only if, wherever the script runs it, its failure ends
the script with the very code with which the script ended; where the text leaves any doubt, nothing is said.
"""

from __future__ import annotations

import os

from agent.wrapper.exits.fates import Fates
from agent.wrapper.exits.grammar import read
from agent.wrapper.exits.outcomes import Ends, Lives
from agent.wrapper.exits.phrases import ANY, SAME
from agent.wrapper.exits.shells import SHELLS
from agent.wrapper.exits.words import CannotRead
from agent.wrapper.failure.programs import PLAIN
from agent.wrapper.process.command import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.exits.shells import Script
    from agent.wrapper.exits.taskstats import Exit

NAME_LENGTH = 15
"""The kernel keeps no more of a program's name."""

MAX_BEGINNING = 1 << 16
"""So much of another script is searched for the program that it may become."""

ANSWERING = frozenset(
    b"[ test expr cmp diff grep egrep fgrep zgrep rg awk which whereis command type true false tty stty tput "
    b"mountpoint pgrep pidof pkill killall getent id groups locale systemd-detect-virt dpkg-query rpm".split()
)
"""Programs whose code is an answer: a text, user, process or package is not there, or two differ."""

OWN_CODES = (1, 2, 126, 127)
"""Codes with which a shell ends of itself."""

SIGNALLED = 128


def failed_step(steps: list[Exit], cmd: int, script: Script, code: int) -> tuple[bytes, int] | None:
    """The program that failed and its exit code, if that is certain. The last step is CMD's own end."""
    end = steps[-1]
    if end.pid != cmd or end.status != code:
        return None
    text = script.text.decode("latin-1")
    try:
        fates = Fates(read(text), options=script.options, arguments=script.arguments)
    except (CannotRead, RecursionError, OSError):
        return None
    judge = _Judge(fates, script, steps[:-1], code)
    if end.name not in {name[:NAME_LENGTH] for name in script.names}:
        found: tuple[bytes | None, int] | None = (
            judge.full_name(end.name),
            code,
        )  # the script's last word was `exec`
    elif fates.survey.replaced:
        return None
    else:
        found = judge.last_step()
    name, status = found or (None, 0)
    return (name, status) if name and name not in ANSWERING | SHELLS and PLAIN.fullmatch(name) else None


class _Judge:
    """Judges one failed step after the other, the latest first."""

    def __init__(self, fates: Fates, script: Script, steps: list[Exit], code: int) -> None:
        self._fates = fates
        self._script = script
        self._steps = steps
        self._code = code
        self._names = {*fates.of, *fates.survey.mentioned}
        self._texts: dict[str, list[bytes | None]] = {}

    def last_step(self) -> tuple[bytes | None, int] | None:
        """The step that ended the script, if one surely did."""
        for at in range(len(self._steps) - 1, -1, -1):
            step = self._steps[at]
            if step.status and not step.forked:
                verdict = self._ended_it(at)
                if verdict is not None:
                    return (self.full_name(step.name), step.status) if verdict else None
        return None

    def _ended_it(self, at: int) -> bool | None:
        """Whether this step's failure ended the script; None if surely not, False if that is unknown."""
        step = self._steps[at]
        outcomes = [outcome for outcome in self._outcomes(step.name) if self._could_be(outcome, at)]
        if outcomes and all(isinstance(outcome, Lives) for outcome in outcomes):
            return None
        return (
            bool(outcomes)
            and all(isinstance(outcome, Ends) for outcome in outcomes)
            and self._only_last_words(at)
        )

    def _outcomes(self, kernel_name: bytes) -> list[Ends | Lives]:
        """Those of every place that may have run the program of this name."""
        name = self.full_name(kernel_name)
        if name is None:
            return []
        found = list(self._fates.of.get(name.decode("latin-1"), []))
        for names, outcomes in self._fates.unnamed:
            if name.decode("latin-1") in (self._names if names is None else names):
                found.extend(outcomes)
        for other, outcomes in self._fates.of.items():
            if other.encode("latin-1") != name and self._may_become(other, name):
                found.extend(outcomes)
        return found

    def full_name(self, name: bytes) -> bytes | None:
        """The name as the script writes it, where the kernel may have cut it; None if it does not."""
        text = name.decode("latin-1")
        if len(name) < NAME_LENGTH:
            return name if text in self._names else None
        found = {word for word in self._names if word.startswith(text)}
        return found.pop().encode("latin-1") if len(found) == 1 else None

    def _may_become(self, program: str, name: bytes) -> bool:
        """Whether a program is a script that ends as another one, as `#!/usr/bin/env python3` does."""
        if program not in self._texts:
            self._texts[program] = [self._start(word) for word in self._fates.paths[program]]
        return any(text is None or name in text for text in self._texts[program])

    def _start(self, word: str | None) -> bytes | None:
        """The beginning of the script that a word stands for: empty if it is none, None if it is unknown."""
        if word is None:
            return None
        for path in places(word.encode("latin-1"), self._script.environment):
            try:
                with open(path, "rb") as file:
                    start = file.read(MAX_BEGINNING)
            except OSError:
                continue
            return start if start.startswith(b"#!") else b""
        return b""

    def _could_be(self, outcome: Ends | Lives, at: int) -> bool:
        if isinstance(outcome, Ends):
            return outcome.code == ANY or self._code == (
                self._steps[at].status if outcome.code == SAME else outcome.code
            )
        if self._must_be_a_steps_code() and all(
            step.name == self._steps[at].name for step in self._steps if step.status == self._code
        ):
            return False
        return not (outcome.then and self._is_found(outcome.then) and not self._followed_by(outcome.then, at))

    def _must_be_a_steps_code(self) -> bool:
        """Whether the shell can have its code only from a program."""
        own = self._code in OWN_CODES or self._code >= SIGNALLED
        return not own and self._fates.survey.codes.isdisjoint((self._code, ANY))

    def _followed_by(self, name: str, at: int) -> bool:
        """Whether this may have run afterwards: a process that became nothing may have been anything."""
        above, cut = {self._steps[at].parent}, name.encode("latin-1")[:NAME_LENGTH]
        for step in self._steps[at + 1 :]:
            if step.pid in above:
                above.add(step.parent)
            elif step.forked or step.name == cut:
                return True
        return False

    def _is_found(self, name: str) -> bool:
        return any(
            os.access(path, os.X_OK) for path in places(name.encode("latin-1"), self._script.environment)
        )

    def _only_last_words(self, at: int) -> bool:
        """Whether all that ran afterwards is what a script does when it is ending."""
        spoken = {word.encode("latin-1")[:NAME_LENGTH] for word in self._fates.last_words}
        later = [step for step in self._steps[at + 1 :] if not step.forked]
        return all(
            step.name in spoken or step.pid < self._steps[at].pid for step in later
        )  # or of one pipeline
