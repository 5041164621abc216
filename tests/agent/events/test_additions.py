"""Each field bears the version of the catalogue in which it is new, and the public page has the history."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from agent.events import catalogue
from agent.events.additions import RELEASES, additions
from agent.events.facts import System
from agent.events.shown import FIRST, NEWEST

PAGE = Path(__file__).parents[3] / "docs/telemetry.md"
ORIGIN = catalogue.Origin(
    "11111111-2222-4333-8444-555555555555", "Shop", "2.4.1", System("debian", "12"), NEWEST, "ci"
)
FROZEN = {1: "001b279288bdb5ca", 2: "1e647fd0812c980a", 3: "f05a2de5d8506e17"}
"""A digest of each version's fields. A version never changes: give a new field a new one, and a line here."""
PLAIN = {("type",), ("event",), ("integrations",), ("properties",)}
"""What Segment's shape of an event needs: constants, and the name."""


def digest(version: int) -> str:
    fields = sorted(f"{one.carried_by} {one.path}" for one in additions(0) if one.since == version)
    return hashlib.sha256("\n".join(fields).encode()).hexdigest()[:16]


def test_no_version_of_the_catalogue_ever_changes() -> None:
    assert {version: digest(version) for version in range(FIRST, NEWEST + 1)} == FROZEN


def test_the_history_has_every_field_that_came_later() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    for one in additions(FIRST):
        name = ".".join(one.path) or one.carried_by
        assert any(row.startswith(f"| {one.since} |") and f"`{name}`" in row for row in rows), name
    assert all(one.since <= NEWEST for one in additions(0)), "NEWEST is the newest"
    assert sorted(RELEASES) == list(range(FIRST, NEWEST + 1))


def paths(value: dict[str, Any], above: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Every field of an event, down to where the tables speak of it."""
    known = {one.path for one in additions(0)} | PLAIN
    found = set()
    for key, below in value.items():
        path = (*above, key)
        deeper = isinstance(below, dict) and (path not in known or path == ("properties",))
        found |= paths(below, path) if deeper else {path}
    return found


@pytest.mark.parametrize("kind", catalogue.CATALOGUE, ids=lambda kind: kind.name)
def test_no_event_has_a_field_without_an_entry(kind: catalogue.Kind) -> None:
    event = catalogue.build(
        kind.name,
        {prop.name: prop.example for prop in kind.properties},
        ORIGIN,
        timestamp=0,
        installation=ORIGIN.instance if kind.about_installation else None,
    )
    known = {one.path for one in additions(0) if one.concerns(kind)} | PLAIN
    assert paths(event) - known == set()
    event["more"] = 1
    assert paths(event) - known == {("more",)}
