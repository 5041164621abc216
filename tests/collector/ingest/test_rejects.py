"""Rejects are counted, in the database and for Prometheus, without anything of the events."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from collector.admin.keys import source_named
from collector.base.times import DAY_MS
from collector.ingest.rejects import KEEP_DAYS, MAX_LIBRARIES, OTHER, Counts, library_name, write_counts
from collector.store import Stores
from tests.collector.running import Collector, event
from tests.wait import until

NOW = 20_000 * DAY_MS
SECRET = "zebra-7f3a"


def counted(collector: Collector) -> set[tuple[str, str, int]]:
    with closing(sqlite3.connect(collector.database.removeprefix("sqlite:///"))) as database:
        return set(database.execute("SELECT code, library, n FROM rejects"))


def rows(stores: Stores) -> dict[tuple[str, str], tuple[int, str]]:
    sql = "SELECT code, library, SUM(n), MAX(message) FROM rejects GROUP BY code, library"
    return {(code, library): (int(n), message) for code, library, n, message in stores.control.all(sql)}


def source_in(stores: Stores) -> int:
    with stores.control.transaction() as tx:
        return source_named(tx, "product", 0)


def test_rejects_are_counted_by_code_and_library(start: Callable[..., Collector], tmp_path: Path) -> None:
    collector = start(f"sqlite:///{tmp_path}/c.db")
    nameless = event(event="", properties={"x": SECRET})
    shared = {"context": {"library": {"name": "shop"}}}
    own = event(type=SECRET, context={"library": {"name": "own"}})
    for body in ({"batch": [nameless, event(), nameless], **shared}, {"batch": [own], **shared}):
        assert collector.post("/v1/batch", body).status == 200
    assert collector.post("/v1/track", nameless).status == 400
    assert collector.post("/v1/batch", b"{" + SECRET.encode()).status == 400
    assert collector.post("/v1/batch", b"\x1f\x8b" + SECRET.encode()).status == 400
    assert collector.post("/v1/track", nameless, key="wrong").status == 401
    expected = {
        ("no_event", "shop", 2),
        ("no_event", "", 1),
        ("bad_type", "own", 1),
        ("bad_json", "", 1),
        ("bad_gzip", "", 1),
    }
    until(lambda: counted(collector) == expected)
    meters = collector.get("/metrics").body.decode()
    assert 'rollcall_events_rejected_total{code="no_event",source="test"} 3.0' in meters
    assert 'rollcall_events_received_total{source="test"} 1.0' in meters
    said = collector.stop()
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("c.db*"))
    assert b"no_event" in kept
    assert SECRET.encode() not in kept
    assert SECRET not in said


def test_what_was_counted_in_the_last_moment_is_written_at_the_end(
    start: Callable[..., Collector], tmp_path: Path
) -> None:
    collector = start(f"sqlite:///{tmp_path}/c.db")
    assert collector.post("/v1/track", event(event="")).status == 400
    collector.stop()
    assert counted(collector) == {("no_event", "", 1)}


def test_counts_of_a_day_add_up_and_the_last_message_stays(stores: Stores) -> None:
    source = source_in(stores)
    for message in ("old words", "new words"):
        counts = Counts()
        counts.add(source, "no_event", "lib", 2, message)
        counts.add(source, "no_event", "lib", 1, message)
        write_counts(stores.control, counts, NOW)
    assert rows(stores) == {("no_event", "lib"): (6, "new words")}


def test_a_stranger_adds_no_more_than_so_many_names(stores: Stores) -> None:
    source = source_in(stores)
    for number in range(3 * MAX_LIBRARIES):  # each in a server of its own
        counts = Counts()
        for other in range(3 * MAX_LIBRARIES):
            counts.add(source, "bad_type", f"lib{number}-{other}", 1, "why")
        assert len(counts.by_key) <= MAX_LIBRARIES + 1
        write_counts(stores.control, counts, NOW)
    found = rows(stores)
    assert len(found) == MAX_LIBRARIES + 1
    assert sum(count for count, _ in found.values()) == 9 * MAX_LIBRARIES**2
    assert ("bad_type", OTHER) in found


def test_old_counts_are_deleted(stores: Stores) -> None:
    source = source_in(stores)
    for day in (0, 1, KEEP_DAYS + 1):
        counts = Counts()
        counts.add(source, "bad_type", f"lib{day}", 1, "why")
        write_counts(stores.control, counts, NOW + day * DAY_MS)
    assert {library for _, library in rows(stores)} == {"lib1", f"lib{KEEP_DAYS + 1}"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", ""),
        ("analytics.js", "analytics.js"),
        ("@segment/analytics-node", "@segment/analytics-node"),
        ("RudderLabs JavaScript SDK", "RudderLabs JavaScript SDK"),
        ("ada@example.org", OTHER),
        ("203.0.113.9", OTHER),
        ("x" * 51, OTHER),
        ("a\nb", OTHER),
        ("<script>", OTHER),
    ],
)
def test_a_name_that_could_be_an_address_is_not_kept(text: str, name: str) -> None:
    assert library_name(text) == name
