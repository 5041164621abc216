from __future__ import annotations

import pytest

from agent.heartbeat.standing import Announcer, status_text
from tests.agent.heartbeat.lives import answered

BEAT = "2027-01-15T08:00:00.000Z"


@pytest.mark.parametrize(
    ("changes", "missing", "text"),
    [
        ({}, None, "sending: no beat yet, next 2027-01-15 08:00 UTC"),
        ({"last_beat": BEAT}, None, "sending: last beat 2027-01-15 08:00 UTC, next 2027-01-15 08:00 UTC"),
        (
            {"waiting": 3, "alive": False},
            None,
            "sending: no beat yet, next 2027-01-15 08:00 UTC, 3 waiting, product not alive",
        ),
        (
            {"sending": False, "rule": "flag", "source": "DO_NOT_TRACK"},
            None,
            "silent: a flag is set (DO_NOT_TRACK)",
        ),
        ({"sending": False, "rule": "flag"}, None, "silent: a flag is set"),
        ({}, "/etc/x/docker.env", "silent: /etc/x/docker.env was read before and is missing"),
    ],
)
def test_the_status_is_one_line(changes: dict[str, object], missing: str | None, text: str) -> None:
    assert status_text(answered(**changes), missing, 1_800_000_000.0) == text  # type: ignore[arg-type]


def test_a_subject_is_logged_again_only_when_it_changed() -> None:
    lines: list[str] = []
    announcer = Announcer(lambda _priority, text, **_fields: lines.append(text))
    for value in ("full", "full", "torn", "full"):
        announcer.once("disk", value, 4, value)
    announcer.once("clock", "full", 4, "clock")
    announcer.forget("disk")
    announcer.once("disk", "full", 4, "full")
    assert lines == ["full", "torn", "full", "clock", "full"]


def test_a_product_that_was_never_down_is_not_said_to_be_up_again() -> None:
    lines: list[str] = []
    announcer = Announcer(lambda _priority, text, **_fields: lines.append(text))
    for alive in (True, None, False, False, True, True):
        announcer.alive(answered(alive=alive))
    assert lines == [
        "the product is not alive; no heartbeat is sent until it is",
        "the product is alive again",
    ]
