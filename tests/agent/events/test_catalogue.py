from __future__ import annotations

import json
import math
import os
import re
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.base import ids
from agent.events import catalogue
from agent.events.catalogue import CATALOGUE, NAMES, NotInCatalogue, Origin
from agent.events.facts import System
from agent.events.shown import NEWEST
from tests.agent.world import NOW, World

GOLDEN = Path(__file__).parent / "golden"
INSTANCE = "11111111-2222-4333-8444-555555555555"
RUN = "3f2b8c1d-0000-4000-8000-000000000000"
MESSAGE = "01893bc0-3c00-7abc-8def-0123456789ab"
ORIGIN = Origin(INSTANCE, "Shop", "2.4.1", System("debian", "12"), NEWEST)
PATTERNS = {
    "an IPv4 address": re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])"),
    "an IPv6 address": re.compile(r"(?i)(?<![0-9a-f:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![0-9a-f:])"),
    "a hardware address": re.compile(r"(?i)\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b"),
    "a path": re.compile(r"[/\\]"),
    "an e-mail address": re.compile(r"\S@\S"),
    "a hostname": re.compile(
        r"(?i)\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|io|local|lan|internal|example)\b"
    ),
}
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ALLOWED: dict[tuple[str, ...], object] = {
    ("context", "ip"): "0.0.0.0",
    ("properties", "email"): "operator@example.org",
}


def leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield (*path, "key"), name
            yield from leaves(below, (*path, name))
    elif isinstance(value, list):
        for below in value:
            yield from leaves(below, path)
    else:
        yield path, value


def machine_words() -> set[str]:
    """What this very machine and user are called."""
    words = {socket.gethostname(), os.environ.get("USER", ""), os.environ.get("LOGNAME", "")}
    own = catalogue.dumps({name: build(name) for name in NAMES}).lower()
    return {word.lower() for word in words if len(word) > 2 and word.lower() not in own}


def leaks(event: object) -> list[str]:
    """Everything in an event that tells more than it may."""
    found = []
    for path, value in leaves(event):
        text = str(value)
        if ALLOWED.get(path) == value or TIMESTAMP.fullmatch(text):
            continue
        found += [
            f"{what} at {'.'.join(path)}: {text}" for what, shape in PATTERNS.items() if shape.search(text)
        ]
        if ID.fullmatch(text):
            continue  # drawn by chance, from the letters of a short name too
        found += [f"{word} at {'.'.join(path)}" for word in machine_words() if word in text.lower()]
    return found


def build(name: str, **properties: object) -> dict[str, object]:
    kind = catalogue.kind(name)
    given_ = properties or {prop.name: prop.example for prop in kind.properties}
    run = RUN if kind.about_installation else None
    return catalogue.build(name, given_, ORIGIN, message_id=MESSAGE, timestamp=NOW, installation=run)


@pytest.mark.parametrize("name", NAMES)
def test_every_event_is_to_the_letter_what_the_golden_file_says(name: str) -> None:
    golden = GOLDEN / f"{name.lower().replace(' ', '-')}.json"
    assert json.dumps(build(name), indent=2) + "\n" == golden.read_text()


def test_there_is_no_golden_file_too_many() -> None:
    assert len(list(GOLDEN.iterdir())) == len(CATALOGUE)


@pytest.mark.parametrize("name", NAMES)
def test_no_event_holds_a_hostname_path_user_name_or_address(name: str) -> None:
    assert leaks(build(name)) == []


@pytest.mark.parametrize(
    "planted",
    [
        "/etc/passwd", "C:\\Users\\me", "10.0.0.1", "fe80::1", "::1", "52:54:00:12:34:56", "me@shop.example",
        "db1.internal", "www.example.org", *sorted(machine_words()),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", NAMES)
def test_the_checker_catches_what_is_planted_anywhere(name: str, planted: str) -> None:
    event = build(name)
    for path, _ in list(leaves(event)):
        if path[-1] == "key":
            continue
        spoiled = json.loads(json.dumps(event))
        target = spoiled
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = planted
        assert leaks(spoiled) != [], path
    assert leaks({**event, planted: 1}) != []


@pytest.mark.parametrize("name", NAMES)
def test_the_shape_is_segments_and_nothing_else_is_in_it(name: str) -> None:
    event = build(name)
    top = ["type", "event", "anonymousId", "messageId", "timestamp", "context", "integrations", "properties"]
    context = {"library", "ip"}
    if name != "Instance Active":
        context |= {"app", "os"}
    if name.startswith("Installation"):
        context |= {"installation"}
    assert list(event) == top
    assert isinstance(event["context"], dict)
    assert set(event["context"]) == context
    assert event["context"]["library"]["name"] == "rollcall"
    assert len(catalogue.dumps(event)) < 1024


@pytest.mark.parametrize(
    ("name", "properties", "why"),
    [
        (
            "Installation Pondered",
            {},
            "no event 'Installation Pondered'; choose one of: Instal",
        ),
        (
            "Installation Started",
            {"os": "debian", "host": "x"},
            "Installation Started has no property 'host'",
        ),
        ("Installation Started", {"os": 7}, "os is not what the catalogue says"),
        ("Installation Started", {"os": "Debian GNU"}, "os is not what"),
        ("Installation Success", {"os": "debian"}, "Installation Success needs durationSeconds"),
        ("Installation Success", {"os": "debian", "durationSeconds": -1}, "durationSeconds is not"),
        ("Installation Success", {"os": "debian", "durationSeconds": True}, "durationSeconds is not"),
        ("Installation Success", {"os": "debian", "durationSeconds": 1.5}, "durationSeconds is not"),
        ("Instance Active", {"instanceId": "host1"}, "instanceId is not"),
    ],
)
def test_what_is_not_in_the_catalogue_cannot_be_built(
    name: str, properties: dict[str, object], why: str
) -> None:
    with pytest.raises(NotInCatalogue, match=why):
        catalogue.build(name, properties, ORIGIN, message_id=MESSAGE, timestamp=NOW, installation=RUN)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("script", "/srv/install.sh"), ("script", "a\nb"), ("script", ""), ("script", "x" * 65),
        ("script", "\udcff"),
        ("command", "curl -H token"), ("command", "/usr/bin/curl"), ("command", "x\n"), ("signal", "TERM"),
        ("reason", "because"), ("line", "17"), ("exitCode", None), ("email", "a@b"), ("email", "a b@c.de"),
        ("email", "a@b.de\n"), ("email", f"{'x' * 250}@b.de"), ("reference", "3F2B8C1D"), ("os", ""),
    ],
)  # fmt: skip
def test_a_property_takes_its_own_shape_alone(name: str, value: object) -> None:
    prop = next(prop for kind in CATALOGUE for prop in kind.properties if prop.name == name)
    assert prop.accepts(prop.example)
    assert not prop.accepts(value)


def test_an_installation_event_needs_its_installation() -> None:
    for run in (None, "x"):
        with pytest.raises(NotInCatalogue, match="needs the id of its installation"):
            build_started(run)


def build_started(run: str | None) -> object:
    return catalogue.build(
        "Installation Started", {"os": "x"}, ORIGIN, message_id=MESSAGE, timestamp=0, installation=run
    )


def usage(name: str = "Cart Filled", **properties: object) -> dict[str, object]:
    return catalogue.build_usage(name, properties, ORIGIN, timestamp=NOW)  # type: ignore[arg-type]


texts = st.text(st.characters(codec="utf-8"), max_size=50)
numbers = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts


@given(st.dictionaries(texts, scalars, max_size=8))
def test_a_usage_event_says_what_it_was_given_and_no_more(
    properties: dict[str, str | int | float | bool | None],
) -> None:
    built = catalogue.build_usage("Filled", properties, ORIGIN, timestamp=0)
    event = json.loads(catalogue.dumps(built))
    assert event["properties"] == properties
    assert event["event"] == "Filled"
    assert set(event["context"]) == {"library", "ip", "app", "os"}


@pytest.mark.parametrize("value", [[], {}, (1,), {"a": 1}, object(), b"x", math.nan, math.inf, -math.inf])
def test_a_usage_property_that_is_no_scalar_is_refused(value: object) -> None:
    with pytest.raises(NotInCatalogue, match="a is not a number, true, false, null or text"):
        usage(a=value)


@pytest.mark.parametrize("name", ["Instance Active", "instance active", " INSTALLATION  Started "])
def test_a_catalogue_name_is_no_usage_events(name: str) -> None:
    with pytest.raises(NotInCatalogue, match="is an event of Rollcall itself"):
        usage(name)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[2J"])
def test_a_usage_event_needs_a_printable_name(name: str) -> None:
    with pytest.raises(NotInCatalogue, match="printable"):
        usage(name)


def test_a_usage_event_may_be_as_large_as_segment_takes_and_no_larger() -> None:
    size = len(catalogue.dumps(usage(a="")))
    assert usage(a="x" * (catalogue.MAX_EVENT_BYTES - size))
    with pytest.raises(NotInCatalogue, match="32768 bytes; this one is larger"):
        usage(a="x" * (catalogue.MAX_EVENT_BYTES - size + 1))


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1e12, "1970-01-01T00:00:00.000Z"),
        (NOW + 0.0004, "2027-01-15T08:00:00.000Z"),
        (NOW + 0.9996, "2027-01-15T08:00:01.000Z"),
        (16_725_225_600, "2500-01-01T00:00:00.000Z"),
        (1e15, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_clock_however_wrong_makes_a_time(now: float, text: str) -> None:
    assert catalogue.iso(now) == text
    assert uuid.UUID(ids.uuid7(now)).version == 7


def test_preview_is_exactly_what_is_built(world: World) -> None:
    shown = json.loads(world.run("preview").out)
    assert [event["event"] for event in shown] == list(NAMES)
    for event in shown:
        assert leaks(event) == []
        golden = json.loads((GOLDEN / f"{event['event'].lower().replace(' ', '-')}.json").read_text())
        assert shape(event) == shape(golden)


def shape(value: object) -> object:
    if isinstance(value, dict):
        return {name: shape(below) for name, below in value.items()}
    return type(value)
