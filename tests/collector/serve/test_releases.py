"""The release feed over HTTP."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

from agent.updates.fetch import entity_tag
from tests import wait
from tests.agent.updates.signing import Vendor, feed
from tests.collector.running import Collector, Reply, event

VENDOR = Vendor()
PATH = "/releases/test.json"


def publish(collector: Collector, folder: Path, data: bytes) -> None:
    path = VENDOR.publish(folder, data)
    said = collector.verb("releases", "publish", str(path), "--source", "test", "--key", VENDOR.public)
    assert "published" in said.stderr


def counts(collector: Collector) -> list[str]:
    """What the metrics say of requests and events."""
    return [line for line in collector.get("/metrics").body.decode().splitlines() if "bytes" not in line]


def test_the_feed_is_served_as_it_was_signed(collector: Collector, tmp_path: Path) -> None:
    assert collector.get(PATH).status == 404
    publish(collector, tmp_path, feed())
    wait.until(lambda: collector.get(PATH).status == 200)
    plain, signature = collector.get(PATH), collector.get(PATH + ".minisig")
    assert (plain.body, signature.body.decode()) == (feed(), VENDOR.sign(feed()))
    assert plain.headers["ETag"] == entity_tag(feed())
    assert signature.headers["ETag"] == entity_tag(signature.body)
    assert plain.headers["Cache-Control"] == "public, max-age=300"
    assert plain.headers["Vary"] == "accept-encoding"
    listed = collector.verb("releases", "list").stdout.splitlines()
    assert listed[0].startswith("test\tShop\tsequence 7\texpires 2030-01-01T00:00:00Z\tsigned by ")
    assert listed[1].endswith(VENDOR.public)


def test_who_has_the_feed_gets_it_once(collector: Collector, tmp_path: Path) -> None:
    publish(collector, tmp_path, feed())
    packed = collector.get(PATH, Accept_Encoding="br, gzip;q=0.5")
    assert gzip.decompress(packed.body) == feed()
    tags = (entity_tag(feed()), packed.headers["ETag"])
    assert len(set(tags)) == 2

    def ask(**headers: str) -> Reply:
        return collector.get(PATH, **headers)

    for tag in (*tags, f'W/{tags[0]}, "x"', f'"x",{tags[1]}', "*"):
        known = ask(If_None_Match=tag)
        assert (known.status, known.body, known.headers["Content-Length"]) == (304, b"", None)
        assert known.headers["ETag"] in tags
        assert known.headers["Cache-Control"]
    for headers in ({"If_None_Match": '"x"'}, {"Accept_Encoding": "gzip;q=0"}, {"Accept_Encoding": "x-gzip"}):
        assert ask(**headers).body == feed()
    head = collector.request("HEAD", PATH)
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(feed())))
    assert head.headers["ETag"] == tags[0]
    refused = collector.post(PATH, {})
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD")
    for path in ("/releases/other.json", "/releases/.json", "/releases/test.json.json"):
        assert collector.get(path).status == 404


def test_a_new_feed_is_served_beside_those_of_other_sources(collector: Collector, tmp_path: Path) -> None:
    publish(collector, tmp_path, feed())
    assert collector.get(PATH).body == feed()
    collector.verb("keys", "add", "My shop")
    other = VENDOR.publish(tmp_path, feed(product="Other"))
    collector.verb("releases", "trust", VENDOR.public, "--source", "My shop")
    collector.verb("releases", "publish", str(other), "--source", "My shop")
    second = "/releases/My%20shop.json"
    wait.until(lambda: collector.get(second).body == feed(product="Other"))
    publish(collector, tmp_path, feed(sequence=8))
    wait.until(lambda: collector.get(PATH).body == feed(sequence=8))
    assert collector.get(second).body == feed(product="Other")
    back = VENDOR.publish(tmp_path, feed(sequence=7))
    refused = collector.verb("releases", "publish", str(back), "--source", "test", code=1)
    assert "goes back" in refused.stderr
    assert collector.verb("releases", "distrust", VENDOR.public, "--source", "test").stderr == ""


def test_nobody_is_counted_or_logged_who_asks(start: Callable[..., Collector], tmp_path: Path) -> None:
    collector = start(f"sqlite:///{tmp_path}/c.db", ROLLCALL_COLLECTOR_TRUSTED_PROXIES="127.0.0.1")
    publish(collector, tmp_path, feed())
    before = counts(collector)
    for number in range(9):
        peer = {"X_Forwarded_For": f"192.0.2.{number}", "User_Agent": f"shop/{number}"}
        assert collector.get(PATH, **peer).status == 200
        assert collector.get(PATH + ".minisig", **peer).status == 200
        assert collector.get("/releases/other.json", **peer).status == 404
    assert counts(collector) == before
    assert collector.post("/v1/batch", {"batch": [event()]}).status == 200
    assert counts(collector) != before
    assert collector.stop() == ""
