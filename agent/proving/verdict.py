"""What the evidence comes to: proven, not proven, or that this machine cannot tell."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.proving.room import Evidence

PROVEN, NOT_PROVEN, CANNOT = 0, 1, 5
METERS = {"packets": "packets", "lookups": "look-ups", "sockets": "sockets", "files": "files made"}
NOT_RUN = {"Installation Success", "Instance Upgraded"}
"""The wrapped command fails, and the product stays as it is."""
LATER = ("messageId", "timestamp")
"""What is known only when an event is recorded."""


@dataclass(frozen=True)
class Verdict:
    """The exit code, and in words why."""

    code: int
    says: tuple[str, ...]


def judge(evidence: Evidence) -> Verdict:
    """Judge the evidence."""
    if evidence.cannot:
        return Verdict(CANNOT, (f"this machine cannot prove it: {evidence.cannot}",))
    if moved := _moved(evidence):
        return Verdict(NOT_PROVEN, ("NOT proven: while off, something was done", *moved))
    if still := [name for meter, name in METERS.items() if _stands_still(evidence, meter)]:
        why = f"the meter for {', '.join(still)} did not move in the loud run"
        return Verdict(CANNOT, (f"this machine cannot prove it: {why}",))
    if unlike := differing(evidence):
        return Verdict(NOT_PROVEN, ("NOT proven: what was sent is not what preview shows", *unlike))
    return Verdict(PROVEN, ("proven: off is silent, and what is sent is what preview shows",))


def _moved(evidence: Evidence) -> list[str]:
    return [
        f"{step}: {number} {METERS[meter]}"
        for step, counts in evidence.silent.items()
        for meter, number in counts.items()
        if number
    ]


def _stands_still(evidence: Evidence, meter: str) -> bool:
    """Whether a meter that measures here counted nothing in the loud run."""
    counts = [counts[meter] for counts in evidence.loud.values()]
    return None not in counts and not any(counts)


def differing(evidence: Evidence) -> list[str]:
    """The events that the sink got, and whose bytes are not those of preview; and that there were none.

    What is known only later (ids of an event and of a run, times, how an install ended) is taken as it came.
    """
    shown = {event["event"]: event for event in json.loads(evidence.preview or "[]")}
    unlike, compared = [], set()
    for body in evidence.received:
        for event in json.loads(body).get("batch", []):
            name = event["event"]
            if name not in shown:
                continue  # a usage event: its name and values are the product's own
            compared.add(name)
            if _expected(shown[name], event) not in body:
                unlike.append(f"{name} differs")
    lost = [f"{name} did not arrive" for name in shown if name not in compared | NOT_RUN]
    return sorted(set(unlike)) + lost


def _expected(shown: dict[str, Any], event: dict[str, Any]) -> str:
    """The exact text of what preview shows, with what is known only later from the event."""
    text: dict[str, Any] = json.loads(json.dumps(shown))
    for key in LATER:
        text[key] = event.get(key)
    installation = event.get("context", {}).get("installation", {})
    if "installation" in text["context"]:
        text["context"]["installation"]["id"] = installation.get("id")
    known = text["properties"]
    text["properties"] = {
        name: known[name] if name in ("os", "instanceId") else value
        for name, value in event.get("properties", {}).items()
        if name in known
    }
    return json.dumps(text, separators=(",", ":"))
