"""docs/delivery.md says what the code does."""

import importlib
import re
from pathlib import Path

import pytest

from agent import cli
from agent.delivery.transport import BatchOutcome, Delivered, Rejected, RetryLater, judge
from agent.heartbeat import health

PAGE = Path(__file__).parents[2] / "docs" / "delivery.md"
ROOMS = {
    "delivery": "agent.delivery.drain",
    "transport": "agent.delivery.transport",
    "health": "agent.heartbeat.health",
    "backoff": "agent.delivery.backoff",
    "send": "agent.verbs.send",
    "retry": "agent.verbs.retry",
}
IMPORTED = {"transport.LONGEST_WAIT", "delivery.LONGEST_BACKOFF", "delivery.EAGER_BACKOFF"}
"""Each is on the page under the room that it is from."""
UNITS = {"": 1.0, "s": 1.0, "h": 3600.0, "KiB": 1024.0}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, its head left out."""
    _, _, section = PAGE.read_text().partition(f"\n## {heading}\n")
    lines = re.findall(r"^\|(.*)\|$", section.partition("\n## ")[0], re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines[2:]]


def bounds() -> dict[str, float]:
    found = {}
    for _, bound, name in rows("Times and bounds"):
        number, _, unit = bound.partition(" ")
        found[name.strip("`")] = float(number) * UNITS[unit]
    return found


@pytest.mark.parametrize("name", bounds())
def test_a_bound_on_the_page_is_the_one_in_the_code(name: str) -> None:
    room, _, constant = name.partition(".")

    assert getattr(importlib.import_module(ROOMS[room]), constant) == bounds()[name]


@pytest.mark.parametrize("room", ["delivery", "transport", "backoff"])
def test_every_bound_in_the_code_is_on_the_page(room: str) -> None:
    module = importlib.import_module(ROOMS[room])
    named = {
        f"{room}.{name}"
        for name, value in vars(module).items()
        if name.isupper() and type(value) in (int, float)
    }

    assert named
    assert named - IMPORTED <= set(bounds())


def kind(outcome: BatchOutcome) -> str:
    match outcome:
        case Delivered():
            return "sent"
        case Rejected():
            return "split"
        case RetryLater():
            return "waits"


def promised(status: int) -> str:
    """What the page's table says of a status: the first row that names it, else `any other`."""
    said = {row[0]: row[1] for row in rows("What an answer means")}
    for answer, fate in said.items():
        for low, high in spans(answer):
            if low <= status <= high:
                return fate
    return next(fate for answer, fate in said.items() if answer.startswith("any other"))


def spans(answer: str) -> list[tuple[int, int]]:
    if answer.startswith(("any other", "none")):
        return []
    if answer == "2xx":
        return [(200, 299)]
    numbers = [int(number) for number in re.findall(r"\d{3}", answer)]
    open_end = answer.endswith("and above")
    return [(one, 999 if open_end and one == numbers[-1] else one) for one in numbers]


def test_every_status_has_the_fate_that_the_page_promises() -> None:
    for status in range(100, 1000):
        outcome = judge(status, "60", 0.0)
        fate = promised(status)
        assert fate.startswith(f"**{kind(outcome)}**"), status
        honoured = isinstance(outcome, RetryLater) and outcome.after is not None
        assert honoured == ("Retry-After" in fate), status


def test_the_default_budget_is_the_one_on_the_page() -> None:
    budget = cli.parser().parse_args(["flush"]).budget

    assert f"`rollcall flush` takes {budget:.0f} s at most" in PAGE.read_text()


def test_every_kind_of_health_is_on_the_page() -> None:
    said = {row[0].split(":")[0].strip("`") for row in rows("Is the product alive?")}

    assert said == {*health.CHECKS, "http"}
