"""What people are told of the heartbeat: its log lines, each only when something changed, and its status."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent.base.messages import product_name
from agent.config.consent import decision_text
from agent.heartbeat.systemd import INFO, NOTICE, WARNING

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.heartbeat.answer import ChildAnswer


class Announcer:
    """Writes a log line only if its value is another than when its subject was last logged."""

    def __init__(self, log: Callable[..., None]) -> None:
        self._log = log
        self._values: dict[str, object] = {}

    def once(self, subject: str, value: object, priority: int, text: str, **fields: object) -> None:
        if self._values.get(subject) != value:
            self._values[subject] = value
            self._log(priority, text, **fields)

    def forget(self, subject: str) -> None:
        """The subject is in order again; should it fail as before, that is worth a new line."""
        self._values.pop(subject, None)

    def decision(self, answer: ChildAnswer, missing: str | None) -> None:
        text = sending_text(answer, missing)
        state = "sending" if answer.sending and missing is None else "silent"
        self.once("decision", text, NOTICE, text, state=state, rule=answer.rule)

    def alive(self, answer: ChildAnswer) -> None:
        if answer.alive is False:
            self.once("alive", "no", NOTICE, "the product is not alive; no heartbeat is sent until it is")
        elif "alive" in self._values:
            self.once("alive", "yes", INFO, "the product is alive again")

    def feed(self, answer: ChildAnswer) -> None:
        """A failure is logged once, until it changes; a critical advisory once in the life of the process."""
        for subject, priority, text in (
            ("feed", NOTICE, answer.feed_problem),
            ("critical", WARNING, answer.critical),
        ):
            if text is None:
                self.forget(subject)
            else:
                lead = "release feed: " if subject == "feed" else ""
                self.once(subject, text, priority, f"{lead}{text}; see: {product_name()} updates")


def status_text(answer: ChildAnswer | None, missing: str | None, next_beat: float | None) -> str:
    """One line for `systemctl status`. `missing` names a docker.env, `next_beat` is a wall time."""
    if answer is None:
        return "starting"
    if not answer.sending or missing is not None:
        return sending_text(answer, missing)
    last = f"last beat {_minute_of(answer.last_beat)}" if answer.last_beat else "no beat yet"
    following = "" if next_beat is None else f", next {_minute(next_beat)}"
    waiting = f", {answer.waiting} waiting" if answer.waiting else ""
    down = ", product not alive" if answer.alive is False else ""
    critical = f"; {answer.critical}" if answer.critical else ""
    return f"sending: {last}{following}{waiting}{down}{critical}"


def sending_text(answer: ChildAnswer, missing: str | None) -> str:
    if missing is not None:
        return f"silent: {missing} was read before and is missing"
    return "sending" if answer.sending else f"silent: {decision_text(answer.rule, answer.source)}"


def _minute(wall: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(wall))


def _minute_of(iso: str) -> str:
    return f"{iso[:10]} {iso[11:16]} UTC"
