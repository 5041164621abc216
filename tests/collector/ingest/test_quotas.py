"""How many bytes of the disk a write key may add in a day."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.store.usage import HOUR_MS
from tests.collector.cluster import Cluster
from tests.collector.running import Collector, Reply, event
from tests.wait import until

LITTLE = {"ROLLCALL_COLLECTOR_DAILY": "64K"}


def send(collector: Collector, key: str | None = None, size: int = 2000) -> Reply:
    return collector.post("/v1/track", event(p="x" * size), key=key)


def hour() -> int:
    return int(time.time() * 1000) // HOUR_MS


def use_up(collector: Collector, key: str | None = None) -> Reply:
    """Send until it is refused, and return the refusal."""
    for _ in range(100):
        if (reply := send(collector, key)).status != 200:
            return reply
    raise AssertionError("nothing was refused")


def test_a_key_that_has_used_its_day_waits_and_others_go_on(
    start: Callable[..., Collector], database: str
) -> None:
    collector = start(database, **LITTLE, ROLLCALL_COLLECTOR_TRUSTED_PROXIES="127.0.0.1")
    began, stored = hour(), 0
    for peer in range(1, 30):  # one address alone gets a quarter
        while send_from(collector, peer).status == 200:
            stored += 1
    assert 5 < stored < 12
    refused = send(collector)
    assert (refused.status, refused.json()["code"]) == (429, "quota")
    assert 1 <= int(refused.headers["Retry-After"]) <= 3600
    other = collector.verb("keys", "add", "test").stdout.strip()
    assert send(collector, other).status == 200
    said = collector.stop()
    assert 1 <= said.count("has used its bytes of the day") <= 1 + hour() - began
    collector.start()
    assert send_from(collector, 99).status == 429
    assert send_from(collector, 98, key=other).status == 200


def send_from(collector: Collector, peer: int, *, key: str | None = None) -> Reply:
    body = event(p="x" * 2000)
    return collector.post("/v1/track", body, key=key, X_Forwarded_For=f"198.51.100.{peer}")


def test_one_address_cannot_use_up_what_the_others_need(
    start: Callable[..., Collector], tmp_path: Path
) -> None:
    collector = start(f"sqlite:///{tmp_path}/q.db", **LITTLE, ROLLCALL_COLLECTOR_TRUSTED_PROXIES="127.0.0.1")
    while send_from(collector, 1).status == 200:
        pass
    assert send_from(collector, 1).json()["code"] == "quota"
    assert send_from(collector, 2).status == 200


def test_a_limit_of_a_key_is_seen_and_set_and_noticed(
    start: Callable[..., Collector], tmp_path: Path
) -> None:
    collector = start(f"sqlite:///{tmp_path}/q.db", **LITTLE)
    assert use_up(collector).status == 429
    (line,) = [line for line in collector.verb("keys", "list").stdout.splitlines() if "\ttest\t" in line]
    number, *_, rate, daily, today = line.split("\t")
    assert (rate, daily) == ("rate default", "daily default")
    assert today.startswith("today ")
    assert " 0 events" not in today
    collector.verb("keys", "limit", number, "--daily", "0")
    assert until(lambda: send(collector).status == 200)
    collector.verb("keys", "limit", number, "--daily", "1G", "--rate", "2")
    refused = until(lambda: (reply := send(collector)).status == 429 and reply)
    assert refused
    assert refused.json()["code"] == "rate_limited"
    listed = collector.verb("keys", "list").stdout
    assert "rate 2/s\tdaily 1 GiB\t" in listed
    collector.verb("keys", "limit", number, "--rate", "default", "--daily", "0")
    assert until(lambda: send(collector).status == 200)
    assert "rate default\tdaily 0 bytes\t" in collector.verb("keys", "list").stdout
    assert "limited key" in collector.verb("audit").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("999",), "say what to limit"),
        (("999", "--rate", "1"), "no valid key matches"),
        (("1", "--rate", "-1"), "'-1' is not 0 or a larger number"),
        (("1", "--daily", "much"), "'much' is not a number of bytes"),
    ],
)
def test_a_limit_that_is_none_is_named(idle: Collector, arguments: tuple[str, ...], said: str) -> None:
    idle.verb("keys", "add", "web")
    done = idle.verb("keys", "limit", *arguments, code=2 if "is not" in said else 1)
    assert said in done.stderr


@pytest.mark.needs("postgresql")
def test_collectors_on_one_database_share_what_a_key_has_left(
    start: Callable[..., Collector], cluster: Cluster
) -> None:
    database = cluster.database()
    first = start(database, **LITTLE)
    second = start(database, **LITTLE)
    assert use_up(first, second.key).status == 429
    assert until(lambda: send(second).status == 429)
