"""The verb `updates`: what it says of a feed, what it asks, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random

import pytest

from agent.updates.memory import Memory, read_memory
from tests.agent.updates.vendor import ADVISORY, RELEASES, Vendor, feed_bytes
from tests.agent.world import FLAG, NOW, Done, World
from tests.receiver import Receiver, answer

VENDOR = Vendor()
OTHER = Vendor()


@pytest.fixture(autouse=True)
def configured(world: World) -> None:
    world.environ |= {
        "ROLLCALL_PRODUCT": "Acme",
        "ROLLCALL_PRODUCT_VERSION": "1.0.5",
        "ROLLCALL_UPDATES_KEY": f"{OTHER.public} {VENDOR.public}",
        "ROLLCALL_UPDATES_URL": "http://127.0.0.1:9/feed.json",
    }


def serving(feed: bytes, signature: bytes | None = None) -> Receiver:
    signature = VENDOR.sign(feed) if signature is None else signature
    return Receiver(script=[answer(200, body=feed), answer(200, body=signature)], then=answer(304, body=b""))


def ask(world: World, server: Receiver) -> Done:
    world.environ["ROLLCALL_UPDATES_URL"] = f"{server.endpoint}/feed.json"
    return world.run("updates", "--check")


@pytest.mark.parametrize(
    ("version", "code", "state", "following", "latest"),
    [
        ("2.0", 0, "current", None, None),
        ("1.1", 3, "newer", "2.0", "2.0"),
        ("1.0.5", 3, "newer", "1.1", "2.0"),
        ("1.0.4", 4, "advisory", "1.1", "2.0"),
        ("trunk", 1, "unknown", None, None),
    ],
)
def test_the_version_in_use_decides(
    world: World, tmp_path: Path, version: str, code: int, state: str, following: str, latest: str
) -> None:
    world.environ["ROLLCALL_PRODUCT_VERSION"] = version
    assert world.run("updates", "import", str(VENDOR.publish(tmp_path))).code == code
    done = world.run("updates", "--json")
    assert done.code == code
    assert done.json["state"] == state
    for name, wanted in (("next", following), ("latest", latest)):
        found = done.json[name]
        assert (found["version"] if isinstance(found, dict) else None) == wanted
    kept = json.loads(Path(world.state.updates).read_text())
    assert done.json.items() <= kept.items()


def test_a_person_reads_what_to_do(world: World, tmp_path: Path) -> None:
    world.environ["ROLLCALL_PRODUCT_VERSION"] = "1.0.4"
    evil = {**ADVISORY, "summary": "A hole.\x1b]0;owned\x07\n\n<b>bold</b>"}
    done = world.run("updates", "import", str(VENDOR.publish(tmp_path, advisories=[evil])))
    assert done.out.splitlines() == [
        "Acme 1.0.4",
        "",
        "ADVISORY ACME-1 (critical, 2026-10-01); fixed in 1.0.5",
        "  A hole.\\x1b]0;owned\\x07",
        "  <b>bold</b>",
        "  https://v.example/a1",
        "",
        "1.1 is there (2026-06-01)",
        "  Faster.",
        "  https://v.example/1.1",
        "",
        "the latest is 2.0, after 1.1",
    ]


def test_a_question_is_asked_and_its_answer_kept(world: World) -> None:
    feed = feed_bytes()
    with serving(feed) as server:
        assert ask(world, server).code == 3
        assert ask(world, server).code == 3
        assert len(server.requests) == 3  # the feed, its signature, and that there is nothing new
    assert world.run("updates").code == 3
    assert world.run("updates", "--json").json["checkedAt"] == "2027-01-15T08:00:00.000Z"


@pytest.mark.parametrize(
    ("feed", "signature", "why"),
    [
        (feed_bytes(sequence=0), None, "its sequence 0 is not above 1"),
        (feed_bytes(sequence=2, product="Other"), None, "the feed of another product"),
        (feed_bytes(sequence=2, expires="2020-01-01T00:00:00Z"), None, "it has expired on 2020-01-01"),
        (feed_bytes(sequence=2), b"", "the signature is not one of minisign's"),
        (feed_bytes(sequence=2), Vendor().sign(feed_bytes(sequence=2)), "it is signed with another key"),
        (feed_bytes(sequence=2), VENDOR.sign(feed_bytes(sequence=3)), "the signature is not of these bytes"),
        (b"<html>Please sign in</html>", None, "it is not JSON"),
        (feed_bytes(sequence=2, format=2), None, "`format` of the feed is not"),
        (feed_bytes(sequence=2, releases=[{}]), None, r"`version` of releases\[0\] is not a text"),
        (feed_bytes(sequence=2, advisories=[{**ADVISORY, "affected": []}]), None, "not a list of ranges"),
        (feed_bytes(sequence=2, releases=[{**RELEASES[0], "url": "javascript:x"}]), None, "not an address"),
    ],
)
def test_a_bad_feed_is_refused_and_the_last_good_one_kept(
    world: World, feed: bytes, signature: bytes | None, why: str
) -> None:
    with serving(feed_bytes()) as server:
        ask(world, server)
    good = read_memory(world.state)
    assert good is not None
    with serving(feed, signature) as server:
        done = ask(world, server)
    assert done.code == 3
    kept = read_memory(world.state)
    assert kept is not None
    assert (kept.feed, kept.signature, kept.phase) == (good.feed, good.signature, good.phase)
    assert kept.trouble is not None
    assert re.search(why, kept.trouble)
    assert kept.trouble in done.err


def test_a_feed_that_expires_while_it_is_kept_is_stale(world: World, tmp_path: Path) -> None:
    world.run("updates", "import", str(VENDOR.publish(tmp_path, expires="2027-01-16T00:00:00Z")))
    assert "stale" not in world.run("updates").err
    world.now += 86_400
    assert "stale: what is known has expired on 2027-01-16" in world.run("updates").err
    assert world.run("updates", "--json").json["stale"] is True


def test_a_kept_feed_that_somebody_changed_is_not_believed(world: World, tmp_path: Path) -> None:
    world.run("updates", "import", str(VENDOR.publish(tmp_path)))
    path = Path(world.state.updates)
    path.write_text(path.read_text().replace("Faster", "Slower"))
    assert world.run("updates").code == 1
    for text in ("", "[]", "{", '{"phase": 2}', path.read_text().replace('"phase": 0', '"phase": 7')):
        path.write_text(text)
        assert read_memory(world.state) is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (FLAG, "1", "telemetry is off"),
        ("ROLLCALL_UPDATES", "false", "ROLLCALL_UPDATES is false"),
        ("ROLLCALL_UPDATES_URL", "", "no address to ask"),
        ("ROLLCALL_UPDATES_KEY", "", "names no feed"),
    ],
)
def test_nothing_is_asked_where_it_may_not_be(world: World, name: str, value: str, words: str) -> None:
    with serving(feed_bytes()) as server:
        world.environ["ROLLCALL_UPDATES_URL"] = f"{server.endpoint}/feed.json"
        silent = {**world.environ, name: value}
        world.environ, loud = silent, world.environ
        done = world.run("updates", "--check")
        assert (done.code, server.connections) == (1, 0)
        assert words in done.err
        assert not Path(world.state.path).exists()
        world.environ = loud
        assert world.run("updates", "--check").code == 3
        assert len(server.requests) == 2


def test_an_air_gapped_site_imports_while_it_is_silent(world: World, tmp_path: Path) -> None:
    world.environ[FLAG] = "1"
    feed = VENDOR.publish(tmp_path)
    assert world.run("updates", "import", str(feed)).code == 3
    assert world.run("updates", "import", str(feed)).code == 3  # the same again is no step back
    Path(f"{feed}.minisig").unlink()
    assert "minisig: No such file" in world.run("updates", "import", str(feed)).err


def test_wrong_use_and_settings_are_said(world: World) -> None:
    for words in (["export", "x"], ["import"], ["import", "x", "--check"]):
        assert world.run("updates", *words).code == 2
    for name, value in (
        ("ROLLCALL_UPDATES_KEY", "RWshort"),
        ("ROLLCALL_UPDATES_KEY", " ".join([VENDOR.public] * 3)),
        ("ROLLCALL_UPDATES", "maybe"),
        ("ROLLCALL_UPDATES_URL", "http://h/feed?id=1"),
        ("ROLLCALL_UPDATES_URL", "http://h"),
    ):
        world.environ, kept = {**world.environ, name: value}, world.environ
        assert world.run("updates").code == 2
        world.environ = kept


def test_a_staged_release_is_for_those_whose_place_it_has_reached(world: World, tmp_path: Path) -> None:
    staged = [{**RELEASES[0], "rollout": 50}]
    world.run("updates", "import", str(VENDOR.publish(tmp_path, releases=staged, advisories=[])))
    path, kept = Path(world.state.updates), json.loads(Path(world.state.updates).read_text())
    codes = []
    for phase in (0.0, 0.49, 0.5, 0.99):
        path.write_text(json.dumps({**kept, "phase": phase}))
        codes.append(world.run("updates").code)
    assert codes == [3, 3, 0, 0]


def test_a_fleet_asks_at_all_times_of_the_day_also_after_an_outage() -> None:
    """A simulated fleet of 100,000: its busiest minute against the mean one."""
    chance = Random(7)
    fleet = [Memory(chance.random()) for _ in range(100_000)]
    for now in (NOW, NOW + 86_400 + 4321):
        minutes = [0] * 1440
        for one in fleet:
            minutes[int(one.seconds_to_ask(now) / 60) % 1440] += 1
        assert max(minutes) < 2 * len(fleet) / 1440
        assert min(minutes) > 0
