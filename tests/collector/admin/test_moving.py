"""Events move from SQLite or PostgreSQL to ClickHouse: killed on the way, resumed, every view the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import IO
from urllib.parse import urlencode

import pytest

from collector.admin import demo, transfer
from collector.admin.comparison import DayCounts, DayDifference
from collector.admin.keys import source_named
from collector.base.ids import as_uuid
from collector.base.times import DAY_MS, write_time
from collector.ingest import decode
from collector.page.views import VIEWS
from collector.store import EventStore, Stores, open_stores
from collector.store.runs import RunFilter
from tests.collector.clickhouse import Debians
from tests.collector.page.client import NOW, PageClient
from tests.collector.running import Collector
from tests.collector.store.contract.history import SOURCE, made_history
from tests.wait import until

SECONDS = 7200
# How many are stuck of the latest runs, of which SQLite looks at 5,000. The list itself is whole.
BOUNDED = re.compile(r' "((still_)?stuck_(before_)?at_least|counted_all(_before)?)": ')
INSTANCES, MANY_INSTANCES = 16, 3_450  # the latter have more than a million events in their year


@pytest.mark.needs("clickhouse")
@pytest.mark.once
@pytest.mark.timeout(2 * SECONDS)
def test_a_move_that_is_killed_twice_and_resumed_shows_the_same_on_every_view(
    clickhouse: Debians, database: str, tmp_path: Path, *, slow: bool
) -> None:
    old = Collector(tmp_path, database)
    with closing(open_stores(old.database)) as stores:
        total = fill(stores, MANY_INSTANCES if slow else INSTANCES)
        days = len(stores.events.count_all_by_day(SOURCE))
    new = Collector(tmp_path, old.database, ROLLCALL_COLLECTOR_EVENTS=clickhouse.database())
    written, watch = tmp_path / "events.jsonl", Watch(total)
    run(old, "export", str(written))
    watch.told("exported")
    with closing(open_stores(new.database, new.settings["ROLLCALL_COLLECTOR_EVENTS"])) as stores:
        stored = [killed_import(new, written, total * part // 3, stores.events) for part in (1, 2)]
        watch.told(f"killed with {stored} stored")
        assert 0 < stored[0] <= stored[1] < total
        done = run(new, "import", "--verify", str(written))
        watch.told("resumed and verified")
        assert f"{total} events read, {total - stored[1]} new" in done.stderr
        assert f"each of {days} days has as many" in done.stderr
        assert f"{total} events read, 0 new" in run(new, "import", "--verify", str(written)).stderr
        watch.told("imported again")
        run(new, "export", str(tmp_path / "again.jsonl"))
        assert (tmp_path / "again.jsonl").read_bytes() == written.read_bytes()
        watch.told("exported again, the same to the byte")
        with closing(open_stores(old.database)) as plain:
            for ours, theirs in zip(views_of(stores), views_of(plain), strict=True):
                assert ours == theirs
                watch.told(f"compared {ours[0]}")


def fill(stores: Stores, instances: int) -> int:
    """Put a year of invented events into a store; how many."""
    with stores.control.transaction() as tx:
        source = source_named(tx, "product", 0)
    events = demo.demo_events(instances, 1, NOW, source)
    made, _ = transfer.add_in_chunks(stores.events, events, lambda _: None)
    return made


def killed_import(mover: Collector, written: Path, count: int, store: EventStore) -> int:
    """Kill an import once it was given so many lines; how many events are stored then."""
    process = subprocess.Popen(
        [sys.executable, "-m", "collector", "import", "-"],
        env=mover.environ(),
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process, written.open("rb") as lines:
        feed(process, islice(lines, count))
        until(lambda: stored_in(store) > 0, why="the import has begun")
        process.kill()
    return stored_in(store)


def feed(process: subprocess.Popen[bytes], lines: Iterator[bytes]) -> None:
    pipe: IO[bytes] | None = process.stdin
    assert pipe is not None
    for line in lines:
        pipe.write(line)
    pipe.flush()


def stored_in(store: EventStore) -> int:
    return sum(store.count_all_by_day(SOURCE).values())


def run(collector: Collector, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A verb that may take its time."""
    return collector.verb(*arguments, seconds=SECONDS)


class Watch:
    """Prints how long the parts of a move take, which only means something in the slow form."""

    def __init__(self, total: int) -> None:
        self._began = time.monotonic()
        print(f"{total} events", flush=True)

    def told(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:.0f} s: {what}", flush=True)


def views_of(stores: Stores) -> Iterator[tuple[str, str]]:
    """Every view as JSON, with those of one instance, run and failure; events of that instance alone."""
    client = PageClient(stores, NOW)
    (failed, *_), _ = stores.events.list_runs(SOURCE, RunFilter("failed"), 0, (NOW, b""), NOW, 1)
    assert failed.instance is not None
    who = as_uuid(failed.instance)
    failure = f"/failure?{urlencode(asdict(failed.place))}"
    more = [f"/run/{as_uuid(failed.id)}", f"/instance/{who}", f"/events?instance={who}", failure]
    for target in sorted([*VIEWS.keys() - {"/", "/failure", "/events", "/find"}, *more]):
        path, _, query = target.partition("?")
        reply = client.get(f"{path}.json?period=year&{query}")
        assert reply.status == 200, (target, reply.text)
        yield target, "".join(line for line in reply.text.splitlines(True) if not BOUNDED.match(line))


def test_a_day_that_lacks_events_or_has_too_many_is_found(idle: Collector, tmp_path: Path) -> None:
    history = [one for one in made_history(1) if one.source == SOURCE]
    lines = [{**json.loads(one.body), "rollcallSource": "s"} for one in history]
    written, day = tmp_path / "events.jsonl", history[7].time // DAY_MS
    written.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = idle.verb("import", "--verify", str(written))
    assert "as many events in the store as in the file" in done.stderr
    with closing(open_stores(idle.database)) as stores:
        more = history[7]._replace(id=b"another id of 16")
        assert stores.events.keep([more]) == 1
        there = stores.events.count_all_by_day(SOURCE)[day]
        (told,) = idle.verb("import", "--verify", str(written), code=1).stdout.splitlines()
        assert told == (
            f"{write_time(day * DAY_MS)[:10]} 's': {there - 1} events in the file, {there} in the store"
        )
        counts = DayCounts()
        list(counts.counted(iter([*history, history[7]])))
        assert counts.differences(stores.events) == []
        list(counts.counted(iter([history[7]])))
        assert counts.differences(stores.events) == [DayDifference(SOURCE, day, there + 1, there)]


def test_a_day_that_only_the_store_has_is_found(idle: Collector, tmp_path: Path) -> None:
    written = tmp_path / "events.jsonl"
    written.write_text(
        '{"event":"x","messageId":"1","rollcallSource":"s","timestamp":"2026-01-02T03:04:05Z"}\n'
    )
    with closing(open_stores(idle.database)) as stores:
        idle.verb("import", str(written))
        told = {"event": "x", "userId": "u", "timestamp": "2026-01-05T03:04:05Z"}
        stores.events.keep([decode.read_event(told, "track", SOURCE, NOW)])
        done = idle.verb("import", "--verify", str(written), code=1)
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.endswith("'s': 0 events in the file, 1 in the store\n")
    assert "days that differ between the file and the store: 1" in done.stderr
