"""What is run: each verb that records, sends or reads, a wrapped command, and the daemon."""

from __future__ import annotations

from dataclasses import dataclass

SECONDS = 20.0
"""The longest that a step may take."""
HEARTBEAT = "daemon"
"""The step that is ended from outside."""
LEFT_OUT = ("prove",)
"""The verb that asks."""


@dataclass(frozen=True)
class Step:
    """One call of the command."""

    name: str
    words: tuple[str, ...]

    @property
    def edits(self) -> bool:
        """Whether it edits docker.env, at the operator's word."""
        return self.words[0] in {"disable", "enable", "consent"}


STEPS = (
    Step("beat", ("beat",)),
    Step("track", ("track", "Proof Was Run", "-p", "number:=1")),
    Step("flush", ("flush",)),
    Step("wrap", ("wrap", "--no-input", "--", "false")),
    Step("support", ("support", "--email", "operator@example.org")),
    Step("bundle", ("support", "--bundle", "--yes")),
    Step("updates", ("updates", "--check")),
    Step("export", ("export", "-")),
    Step("doctor", ("doctor",)),
    Step("status", ("status",)),
    Step("log", ("log",)),
    Step("preview", ("preview",)),
    Step(HEARTBEAT, ("daemon",)),
    Step("disable", ("disable",)),
    Step("enable", ("enable",)),
    Step("consent", ("consent", "usage", "on")),
    Step("forget", ("forget",)),
)
