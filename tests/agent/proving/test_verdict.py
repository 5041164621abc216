"""What evidence comes to; tests/e2e/test_prove.py has the real evidence."""

from __future__ import annotations

import dataclasses
import json

import pytest

from agent.events import catalogue
from agent.events.facts import System
from agent.events.shown import NEWEST
from agent.proving.room import Evidence
from agent.proving.verdict import CANNOT, NOT_PROVEN, PROVEN, judge

ORIGIN = catalogue.Origin("11111111-2222-4333-8444-555555555555", "Shop", "2", System("debian", "12"), NEWEST)
STILL = {"packets": 0, "lookups": 0, "sockets": 0, "files": 0}
MOVED = {"packets": 9, "lookups": 2, "sockets": 7, "files": 4}


def event(name: str, **more: object) -> dict[str, object]:
    kind = catalogue.kind(name)
    properties = {prop.name: more.get(prop.name, prop.example) for prop in kind.properties}
    run = ORIGIN.instance if kind.about_installation else None
    return catalogue.build(name, properties, ORIGIN, timestamp=0, installation=run)


def good(*, loud: dict[str, int | None] | None = None) -> Evidence:
    """What a machine finds where all is well."""
    arrived = [catalogue.dumps(event(name)) for name in catalogue.NAMES if name != catalogue.SUCCESS]
    return Evidence(
        right="root",
        silent={"beat": dict(STILL), "log": dict(STILL)},
        loud={"beat": dict(MOVED if loud is None else loud), "log": dict(STILL)},
        received=[f'{{"batch":[{",".join(arrived)}]}}'],
        preview=json.dumps([event(name, durationSeconds=99, line=3) for name in catalogue.NAMES]),
    )


def test_all_is_well_where_nothing_moved_and_the_bytes_are_those_of_preview() -> None:
    assert judge(good()).code == PROVEN
    assert judge(good(loud={**MOVED, "sockets": None})).code == PROVEN, "what is not measured proves nothing"


@pytest.mark.parametrize("meter", STILL)
def test_one_count_of_a_silent_step_is_enough(meter: str) -> None:
    found = good()
    found.silent["log"][meter] = 1
    verdict = judge(found)
    assert verdict.code == NOT_PROVEN
    assert any(line.startswith("log: 1 ") for line in verdict.says)


@pytest.mark.parametrize("meter", STILL)
def test_a_meter_that_never_moves_proves_nothing(meter: str) -> None:
    assert judge(good(loud={**MOVED, meter: 0})).code == CANNOT


@pytest.mark.parametrize(
    ("old", "new"),
    [('"0.0.0.0"', '"10.0.0.1"'), ('"debian"', '"host"'), ('"integrations":{}', '"integrations":{"a":1}')],
)
def test_one_byte_that_preview_does_not_show_is_found(old: str, new: str) -> None:
    found = good()
    assert old in found.received[0]
    found.received = [found.received[0].replace(old, new)]
    assert judge(found).code == NOT_PROVEN


def test_an_event_that_never_arrived_is_found() -> None:
    found = dataclasses.replace(good(), received=[])
    assert "Instance Active did not arrive" in judge(found).says


def test_where_there_is_no_namespace_nothing_is_claimed() -> None:
    assert judge(Evidence(cannot="no rights")).code == CANNOT
