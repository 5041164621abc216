"""May anything be recorded or sent? Promise: when in doubt, silent.

Part of the boot path of `wrap`: imports stay few and cheap.
"""

from __future__ import annotations

import os

from agent.config.flags import is_flag, silences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.config.envfile import EnvFile


class Decision:
    """Sending or silent, the rule that decided, and where it was found (None: nowhere)."""

    __slots__ = ("rule", "sending", "source")

    def __init__(self, *, sending: bool, rule: str, source: str | None) -> None:
        self.sending = sending
        self.rule = rule
        self.source = source

    @property
    def passing(self) -> bool:
        """Whether this silence ends by itself, so that what waits is kept and not erased."""
        return self.rule == "gone"

    def __str__(self) -> str:
        return decision_text(self.rule, self.source)

    def __repr__(self) -> str:
        return f"Decision(sending={self.sending}, rule={self.rule!r}, source={self.source!r})"


RULES = {
    "no-flag": "no flag is set",
    "flag": "a flag is set",
    "unreadable": "a docker.env cannot be read",
    "too-large": "a docker.env is larger than 64 KiB",
    "unparsable": "a docker.env has a line that cannot be parsed",
    "bare-flag": "a docker.env names a flag without a value",
    "duplicate-flag": "a docker.env sets the same flag more than once",
    "gone": "a docker.env that was read before is missing",
}
"""Every rule that a Decision may name, in words."""


def decision_text(rule: str, source: str | None) -> str:
    """Why something is sent or silent, for a person."""
    return RULES.get(rule, rule) + (f" ({source})" if source else "")


def decision_from_environment(environ: Mapping[str, str]) -> Decision | None:
    """The refusal that stands in the environment, if one does."""
    for name, value in environ.items():
        if is_flag(name) and silences(value):
            return Decision(sending=False, rule="flag", source=f"{name} in the environment")
    return None


def decision_from_files(files: Iterable[EnvFile], seen: Iterable[str] = ()) -> Decision:
    """Weigh every docker.env that was found, and those that were read before."""
    for file in files:
        doubt = _doubt(file)
        if doubt is not None:
            return doubt
    for path in seen:
        if not os.path.lexists(path):
            return Decision(sending=False, rule="gone", source=path)
    return Decision(sending=True, rule="no-flag", source=None)


def _doubt(file: EnvFile) -> Decision | None:
    """The refusal that this file holds, or that its state amounts to."""
    if file.fault is not None:
        rule, line = file.fault
        return Decision(sending=False, rule=rule, source=_place(file.path, line))
    met = set()
    for flag in file.flags:
        place = _place(file.path, flag.line)
        if flag.value is None:
            return Decision(sending=False, rule="bare-flag", source=place)
        if silences(flag.value):
            return Decision(sending=False, rule="flag", source=place)
        if flag.name in met:
            return Decision(sending=False, rule="duplicate-flag", source=place)
        met.add(flag.name)
    return None


def _place(path: str, line: int | None) -> str:
    return path if line is None else f"{path}:{line}"
