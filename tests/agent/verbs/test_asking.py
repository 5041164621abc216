"""What a child of the daemon does about the release feed."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from agent.updates.fetch import entity_tag
from agent.updates.phase import DAY, LEAST_GAP
from agent.verbs.asking import NEEDED
from tests.agent.updates.signing import Vendor, feed
from tests.agent.verbs.test_updates import ENDLESS, redirect, serve
from tests.agent.world import FLAG, World, tree
from tests.receiver import Deed, Peer, Request, answer, drip_body, hang, say

VENDOR = Vendor()
CHECK = ("flush", "--report", "--budget", "0")
FEED = (*CHECK, "--feed")
PAGE = Path(__file__).parents[3] / "docs/updates.md"


@pytest.fixture
def shop(world: World) -> World:
    """An instance that has a feed and beats."""
    world.environ |= {
        "ROLLCALL_PRODUCT": "Shop",
        "ROLLCALL_PRODUCT_VERSION": "2.0.0",
        "ROLLCALL_UPDATES_KEY": VENDOR.public,
    }
    world.run("beat")
    take_ours(world, feed())
    return world


def take_ours(world: World, data: bytes) -> None:
    assert world.run("updates", "import", str(VENDOR.publish(world.cwd, data))).code in (0, 3, 4)


def read_bytes(path: str) -> bytes:
    return Path(path).read_bytes()


def ours(data: bytes) -> list[Deed]:
    return [answer(200, body=data), answer(200, body=VENDOR.sign(data).encode())]


def test_the_daily_question_is_one_request_and_tells_nothing_of_who_asks(shop: World, tmp_path: Path) -> None:
    other = World(tmp_path / "other", {**shop.environ, "ROLLCALL_PRODUCT_VERSION": "1.0"})
    other.environ["ROLLCALL_WRITE_KEY"] = "key"
    other.now += 1e7
    other.run("beat")
    take_ours(other, feed())
    with serve(answer(304), answer(304))(shop) as server:
        other.environ["ROLLCALL_UPDATES_URL"] = shop.environ["ROLLCALL_UPDATES_URL"]
        answers = [world.run(*FEED).json for world in (shop, other)]
    one, two = server.requests
    assert (one.line, list(one.headers.items())) == (two.line, list(two.headers.items()))
    shown = re.search(r"```http\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert shown is not None
    documented = shown[1].strip().lower().replace("host: example.com", f"host: {one.headers['host']}")
    tag = f"if-none-match: {entity_tag(feed())}"
    documented = re.sub("if-none-match: .*", tag, documented)
    sent = [one.line, *(f"{name}: {value}" for name, value in one.headers.items())]
    assert "\n".join(sent).lower() == documented
    assert one.body == b""
    assert [told["feedProblem"] for told in answers] == [None, None]
    assert [told["critical"] for told in answers] == [
        None,
        "critical advisory SHOP-2026-1 (fixed in 1.4.2)",
    ]


@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_a_new_feed_is_taken_and_the_next_question_is_a_day_later(
    shop: World, part: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(*ours(feed(sequence=8)))(shop) as server:
        with monkeypatch.context() as drawn:
            drawn.setattr("random.uniform", lambda low, high: low + (shop.now + part * high) % high)
            first = shop.run(*CHECK).json["feedIn"]
        assert first == pytest.approx(part * DAY)
        assert isinstance(first, float)
        shop.now += first
        asked = shop.run(*FEED).json
        assert asked["feedIn"] == pytest.approx(DAY, abs=1)
        assert shop.run("beat", "--report").json["feedIn"] == pytest.approx(DAY, abs=1)
    assert len(server.requests) == 2
    assert json.loads(Path(shop.state.updates).read_text())["sequence"] == 8


@pytest.mark.parametrize("words", [FEED, ("updates", "--check")])
def test_a_refusal_between_the_feed_and_its_signature_is_seen(shop: World, words: tuple[str, ...]) -> None:
    env_file = shop.env_file("")
    newer, signature = ours(feed(sequence=8))
    before = read_bytes(shop.state.updates)

    def refused_meanwhile(peer: Peer, request: Request) -> bool:
        env_file.write_text(f"{FLAG}=true\n")
        return newer(peer, request)

    with serve(refused_meanwhile, signature)(shop) as server:
        shop.run(*words)
    assert (len(server.requests), read_bytes(shop.state.updates)) == (1, before)
    env_file.write_text("")
    with serve(newer, signature)(shop) as server:
        shop.run(*words)
    assert (len(server.requests), read_bytes(shop.state.updates) != before) == (2, True)


@pytest.mark.parametrize(
    ("deeds", "words"),
    [
        ([redirect], "redirects are not followed"),
        ([say(ENDLESS + b"x" * 300_000)], "more than 256 KiB"),
        ([answer(200, body=b"<html>Sign in to this hotel</html>")] * 2, "not one of minisign"),
        (ours(feed(sequence=6)), "goes back"),
        ([hang], "no answer within"),
        ([drip_body], "no answer within"),
    ],
)
def test_what_is_no_good_feed_is_told_the_daemon_and_not_asked_for_again(
    shop: World, deeds: list[Deed], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words == "no answer within":
        monkeypatch.setattr("agent.updates.fetch.CHECK_SECONDS", 0.5)
    kept = json.loads(Path(shop.state.updates).read_text())
    with serve(*deeds)(shop) as server:
        told = shop.run(*FEED).json
        requests = len(server.wait_for(1))  # one that was given up at the limit may still be on its way
        again = shop.run(*CHECK).json
        assert len(server.requests) == requests
    assert words in str(told["feedProblem"])
    assert (again["feedProblem"], told["recorded"]) == (told["feedProblem"], False)
    assert isinstance(again["feedIn"], float)
    assert again["feedIn"] >= LEAST_GAP
    now = json.loads(Path(shop.state.updates).read_text())
    assert (now["feed"], now["signature"]) == (kept["feed"], kept["signature"])


@pytest.mark.parametrize(
    "change",
    [
        {FLAG: "true"},
        {"ROLLCALL_UPDATES": "false"},
        {"ROLLCALL_UPDATES_KEY": ""},
        {"ROLLCALL_UPDATES_URL": ""},
    ],
)
def test_where_it_may_not_be_asked_for_nothing_is_asked_or_written(
    shop: World, change: dict[str, str]
) -> None:
    with serve(*ours(feed(sequence=8)))(shop) as server:
        loud = dict(shop.environ)
        shop.environ |= change
        told = [shop.run(*verb).json["feedIn"] for verb in (FEED, CHECK, ("beat", "--report"))]
        assert told == [None] * 3
        assert server.connections == 0
        assert "feed-due.json" not in [Path(name).name for name in tree(shop.path)]
        shop.environ = loud
        assert shop.run(*FEED).json["feedIn"] is not None
        assert len(server.requests) == 2
        assert Path(shop.state.feed_due).exists()


def test_a_site_without_a_network_hears_of_a_critical_advisory(shop: World) -> None:
    shop.environ["ROLLCALL_PRODUCT_VERSION"] = "1.0"
    told = shop.run(*CHECK).json
    assert (told["feedIn"], told["critical"]) == (None, "critical advisory SHOP-2026-1 (fixed in 1.4.2)")
    assert "advisory SHOP-2026-1 (critical)" in shop.run("status").out


def test_a_heartbeat_does_not_need_the_disk_to_take_the_feed(shop: World) -> None:
    with serve(*ours(feed(sequence=8)))(shop) as server:
        Path(shop.state.feed_due).mkdir()
        told = shop.run("beat", "--report").json
        assert (told["recorded"], told["feedIn"]) == (True, None)
        assert "cannot be stored" in str(told["feedProblem"])
        assert shop.run(*FEED).json["feedIn"] is None
        assert server.connections == 0


def test_without_the_package_that_checks_signatures_nothing_is_asked(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(*ours(feed(sequence=8)))(shop) as server:
        with monkeypatch.context() as without:
            without.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
            told = shop.run(*FEED).json
        assert "package cryptography" in str(told["feedProblem"])
        assert server.connections == 0


@pytest.mark.parametrize(
    ("call", "how", "lacking"),
    [
        ("hashlib.blake2b", ValueError("disabled for FIPS"), "BLAKE2b"),
        (f"{NEEDED[0]}.Ed25519PublicKey.from_public_bytes", UnsupportedAlgorithm("ed25519"), "Ed25519"),
    ],
)
def test_in_fips_mode_the_feed_is_not_used_and_all_else_goes_on(
    shop: World, monkeypatch: pytest.MonkeyPatch, call: str, how: Exception, lacking: str
) -> None:
    def refuse(*_: object) -> object:
        raise how

    with serve(*ours(feed(sequence=8)))(shop) as server:
        monkeypatch.setattr(call, refuse)
        beat, asked = shop.run("beat", "--report").json, shop.run(*FEED).json
        assert len(server.requests) == 2
    assert (beat["recorded"], shop.run("status").code) == (True, 0)
    for told in (beat, asked):
        assert f"signatures cannot be checked: this system, perhaps in FIPS mode, has no {lacking}" in str(
            told["feedProblem"]
        )
    assert shop.run("updates").code == 1


def test_a_feed_that_was_signed_anew_is_fetched_by_who_dropped_the_old_key(shop: World) -> None:
    following = Vendor(b"nextyear")
    shop.environ["ROLLCALL_UPDATES_KEY"] = following.public
    assert "is signed by key" in str(shop.run(*CHECK).json["feedProblem"])
    signed = answer(200, body=following.sign(feed()).encode())
    with serve(answer(200, body=feed()), signed)(shop) as server:
        assert shop.run(*FEED).json["feedProblem"] is None
    assert "if-none-match" not in server.requests[0].headers
