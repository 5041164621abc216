from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.updates.fetch import entity_tag
from tests.agent.updates.signing import Vendor, feed
from tests.agent.world import FLAG, World, tree
from tests.receiver import Deed, Peer, Receiver, Request, answer, drip_body, hang, say

VENDOR = Vendor()
ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def shop(world: World) -> World:
    """A machine of the product in the feed, too old for its newest release."""
    world.environ |= {
        "ROLLCALL_PRODUCT": "Shop",
        "ROLLCALL_PRODUCT_VERSION": "2.0.0",
        "ROLLCALL_UPDATES_KEY": VENDOR.public,
    }
    return world


def serve(*deeds: Deed, url: str = "/feed.json") -> Callable[[World], Receiver]:
    def begun(world: World) -> Receiver:
        receiver = Receiver(script=deeds, then=answer(404))
        world.environ["ROLLCALL_UPDATES_URL"] = receiver.endpoint + url
        return receiver

    return begun


def published(data: bytes) -> tuple[Deed, Deed]:
    return answer(200, body=data), answer(200, body=VENDOR.sign(data).encode())


def take(world: World, data: bytes) -> int:
    return world.run("updates", "import", str(VENDOR.publish(world.cwd, data))).code


@pytest.mark.parametrize(
    ("version", "code", "state", "following"),
    [
        ("2.4.1", 0, "current", None),
        ("2.0.0", 3, "newer", "2.4.1"),
        ("1.0", 4, "advisory", "2.0.0"),
        ("9", 0, "current", None),
    ],
)
def test_an_imported_feed_says_what_concerns_this_version(
    shop: World, version: str, code: int, state: str, following: str | None
) -> None:
    shop.environ["ROLLCALL_PRODUCT_VERSION"] = version
    assert take(shop, feed()) == code
    done = shop.run("updates", "--json")
    assert (done.code, done.json["state"], done.json["next"]) == (code, state, following)
    kept = json.loads(Path(shop.state.updates).read_text())
    assert {name: kept[name] for name in done.json} == done.json


def test_status_names_the_public_page_of_a_verified_feed(shop: World) -> None:
    assert "public page" not in shop.run("status").out
    assert take(shop, feed()) == 3
    assert "public page   https://example.com/public/shop" in shop.run("status").out
    assert shop.run("updates", "--json").json["publicPage"] == "https://example.com/public/shop"
    forged = json.loads(Path(shop.state.updates).read_text())
    forged["feed"] = forged["feed"].replace("example.com/public", "evil.example/public")
    Path(shop.state.updates).write_text(json.dumps(forged))
    assert "public page" not in shop.run("status").out


def test_a_feed_may_name_no_public_page(shop: World) -> None:
    assert take(shop, feed(publicPage=None)) == 3
    assert "public page" not in shop.run("status").out
    assert shop.run("updates", "--json").json["publicPage"] is None


def test_notes_are_shown_inert_and_say_the_way_to_the_newest(shop: World) -> None:
    shop.environ["ROLLCALL_PRODUCT_VERSION"] = "1.0"
    evil = json.loads(feed())
    evil["releases"][0]["notes"] = "\x1b[2JFaster.\r\nSafer.\x07"
    assert take(shop, feed(**evil)) == 4
    done = shop.run("updates")
    assert "SHOP-2026-1 (critical, 2026-05-01), fixed in 1.4.2\n    Anybody can sign in." in done.out
    assert "upgrade to 2.0.0 first" in done.out
    assert "\\x1b[2JFaster.\n    Safer.\\x07" in done.out
    assert not set(done.out) & {"\x1b", "\x07", "\r"}
    assert "updates       advisory SHOP-2026-1 (critical), 2.4.1 is available" in shop.run("status").out


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (feed(sequence=6), "goes back"),
        (feed(expires="2031-01-01T00:00:00Z"), "same sequence 7"),
        (feed(product="Inn", sequence=8), "of the product 'Inn'"),
        (feed(sequence=8, expires="2020-01-01T00:00:00Z"), "stale since 2020-01-01"),
        (b"{}", "format"),
    ],
)
def test_a_signed_feed_that_is_not_right_is_refused_and_the_last_good_one_stays(
    shop: World, data: bytes, words: str
) -> None:
    take(shop, feed())
    before = Path(shop.state.updates).read_bytes()
    done = shop.run("updates", "import", str(VENDOR.publish(shop.cwd, data)))
    assert (done.code, words in done.err) == (1, True)
    assert Path(shop.state.updates).read_bytes() == before
    assert take(shop, feed(sequence=8)) == 3
    assert Path(shop.state.updates).read_bytes() != before


def test_the_feed_of_the_product_before_is_neither_used_nor_compared_with(shop: World) -> None:
    take(shop, feed(sequence=50))
    shop.environ |= {"ROLLCALL_PRODUCT": "Inn", "ROLLCALL_PRODUCT_VERSION": "1.0"}
    done = shop.run("updates", "--json")
    assert (done.code, done.json["state"], done.json["advisories"]) == (1, "unknown", [])
    assert "not used: the feed is of the product 'Shop', not of 'Inn'" in done.err
    assert take(shop, feed(product="Inn")) == 4
    assert shop.run("updates", "--json").json["sequence"] == 7


def test_a_feed_without_its_signature_or_with_anothers_is_refused(shop: World) -> None:
    path = VENDOR.publish(shop.cwd, feed())
    Path(f"{path}.minisig").write_text(Vendor(VENDOR.id).sign(feed()))
    assert "does not match" in shop.run("updates", "import", str(path)).err
    Path(f"{path}.minisig").unlink()
    assert shop.run("updates", "import", str(path)).code == 1
    assert not Path(shop.state.path).exists()


def test_a_feed_that_expired_here_is_still_shown_and_said_to_be_stale(shop: World) -> None:
    take(shop, feed())
    shop.now = 2_000_000_000.0
    done = shop.run("updates")
    assert (done.code, "stale since 2030-01-01T00:00:00Z" in done.err) == (3, True)


def test_a_key_that_holds_no_more_takes_the_feed_out_of_use(shop: World) -> None:
    take(shop, feed())
    shop.environ["ROLLCALL_UPDATES_KEY"] = f"{Vendor(b'nextyear').public} {VENDOR.public}"
    assert shop.run("updates").code == 3
    shop.environ["ROLLCALL_UPDATES_KEY"] = Vendor(b"nextyear").public
    done = shop.run("updates")
    assert (done.code, done.out, "is signed by key" in done.err) == (1, "", True)


def test_a_check_asks_for_the_feed_and_its_signature_then_only_whether_it_changed(shop: World) -> None:
    with serve(*published(feed()), answer(304, body=b""), answer(200, body=feed()))(shop) as server:
        assert [shop.run("updates", "--check").code for _ in range(3)] == [3, 3, 3]
    lines = [request.line for request in server.requests]
    assert lines == ["GET /feed.json HTTP/1.1", "GET /feed.json.minisig HTTP/1.1"] + 2 * [lines[0]]
    tags = [request.headers.get("if-none-match") for request in server.requests]
    assert tags == [None, None, entity_tag(feed()), entity_tag(feed())]


def test_two_instances_send_the_same_bytes_and_the_docs_have_them(shop: World, tmp_path: Path) -> None:
    other = World(tmp_path / "other", dict(shop.environ))
    other.environ |= {"ROLLCALL_PRODUCT_VERSION": "1.0", "ROLLCALL_WRITE_KEY": "key"}
    other.now += 1e7
    other.run("beat")
    with serve(answer(404), answer(404))(shop) as server:
        other.environ["ROLLCALL_UPDATES_URL"] = shop.environ["ROLLCALL_UPDATES_URL"]
        assert [world.run("updates", "--check").code for world in (shop, other)] == [1, 1]
    one, two = server.requests
    assert (one.line, one.headers, one.body) == (two.line, two.headers, two.body)
    page = (ROOT / "docs/updates.md").read_text()
    shown = re.search(r"```http\n(.*?)```", page, re.DOTALL)
    assert shown is not None
    line, *fields = shown[1].strip().split("\n")
    expected = dict(field.lower().split(": ", 1) for field in fields)
    assert line == one.line
    assert {**expected, "host": one.headers["host"]} == one.headers | {
        "if-none-match": expected["if-none-match"]
    }


def redirect(peer: Peer, request: Request) -> bool:
    return answer(302, {"Location": "http://127.0.0.1:9/feed.json"})(peer, request)


@pytest.mark.parametrize(
    ("deeds", "words"),
    [
        ([answer(404)], "answers 404"),
        ([redirect], "redirects are not followed"),
        ([answer(200, body=b"x" * 300_000)], "more than 256 KiB"),
        (
            [say(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n" + b"x" * 300_000)],
            "more than 256 KiB",
        ),
        (2 * [answer(200, body=b"<html>Sign in to this hotel</html>")], "not one of minisign"),
        ([answer(200, body=feed(sequence=8)), answer(404)], "answers 404"),
        ([answer(200, body=feed(sequence=8)), published(feed(sequence=9))[1]], "does not match"),
        (list(published(feed(sequence=6))), "goes back"),
        ([say(b"\0\1\2")], "not HTTP"),
    ],
)
def test_what_is_no_good_feed_is_refused_and_the_last_good_one_stays(
    shop: World, deeds: list[Deed], words: str
) -> None:
    take(shop, feed())
    kept = json.loads(Path(shop.state.updates).read_text())
    with serve(*deeds)(shop):
        done = shop.run("updates", "--check", "--json")
    assert (done.code, words in done.err, words in str(done.json["problem"])) == (3, True, True)
    now = json.loads(Path(shop.state.updates).read_text())
    assert (now["feed"], now["signature"]) == (kept["feed"], kept["signature"])
    with serve(*published(feed(sequence=8)))(shop):
        assert shop.run("updates", "--check", "--json").json["problem"] is None


@pytest.mark.parametrize("deed", [hang, drip_body])
def test_a_server_that_never_ends_is_left_at_the_deadline(
    shop: World, deed: Deed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.updates.fetch.CHECK_SECONDS", 0.5)
    with serve(deed)(shop):
        done = shop.run("updates", "--check")
    assert (done.code, "no answer within" in done.err) == (1, True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({FLAG: "true"}, "telemetry is off"),
        ({"ROLLCALL_UPDATES": "false"}, "ROLLCALL_UPDATES is false"),
        ({"ROLLCALL_UPDATES_KEY": ""}, "ROLLCALL_UPDATES_KEY is not set"),
        ({"ROLLCALL_UPDATES_URL": ""}, "ROLLCALL_UPDATES_URL is not set"),
    ],
)
def test_nothing_is_asked_and_nothing_made_where_it_may_not(
    shop: World, change: dict[str, str], words: str
) -> None:
    with serve(*published(feed()))(shop) as server:
        loud = dict(shop.environ)
        shop.environ |= change
        before = tree(shop.path)
        done = shop.run("updates", "--check")
        assert (done.code, words in done.err) == (1, True)
        assert (server.connections, tree(shop.path)) == (0, before)
        shop.environ = loud
        assert shop.run("updates", "--check").code == 3
        assert (server.connections > 0, len(server.requests), tree(shop.path) != before) == (True, 2, True)


def test_a_silent_machine_shows_an_imported_feed_and_keeps_nothing(shop: World) -> None:
    shop.environ[FLAG] = "1"
    path = VENDOR.publish(shop.cwd, feed())
    before = tree(shop.path)
    done = shop.run("updates", "import", str(path))
    assert (done.code, "2.4.1" in done.out, "not kept" in done.err) == (3, True, True)
    assert tree(shop.path) == before


@pytest.mark.parametrize(
    "argv",
    [["import", "--json", "F"], ["--json", "import", "F"], ["--json", "import", "--", "F"]],
    ids=range(3),
)
def test_options_of_an_import_may_stand_anywhere(shop: World, argv: list[str]) -> None:
    path = str(VENDOR.publish(shop.cwd, feed()))
    plain = shop.run("updates", "import", path, "--json")
    done = shop.run("updates", *(path if word == "F" else word for word in argv))
    assert (done.code, json.loads(done.out)["state"]) == (plain.code, json.loads(plain.out)["state"])


@pytest.mark.parametrize("argv", [["import"], ["import", "F", "--check"]])
def test_import_takes_a_feed_and_no_check(shop: World, argv: list[str]) -> None:
    done = shop.run("updates", *argv)
    assert (done.code, "updates import FEED" in done.err) == (2, True)


def test_a_version_without_a_number_is_said(shop: World) -> None:
    shop.environ["ROLLCALL_PRODUCT_VERSION"] = "latest"
    assert take(shop, feed()) == 1
    assert "'latest' has no number" in shop.run("updates").err


def test_forget_deletes_the_feed_too(shop: World) -> None:
    take(shop, feed())
    shop.run("forget")
    assert not Path(shop.state.updates).exists()
