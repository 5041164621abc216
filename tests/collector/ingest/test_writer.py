"""Group commit: one transaction for several requests, and one bad request does not hurt the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from collector.base.events import Event
from collector.ingest.pace import BURST
from collector.ingest.writer import MOST_TOGETHER, Writer
from collector.store import StoreError, Stores, open_stores
from tests.wait import PATIENCE, until


def made(number: int) -> Event:
    return Event(1, number.to_bytes(16, "big"), 1, 1, "track", "x", None, None, "{}")


async def keep_together(stores: Stores, writer: Writer, groups: Sequence[list[Event]]) -> list[object]:
    """Hand over groups while the writer is busy with another one, so that it takes them together."""

    def keep(events: list[Event]) -> asyncio.Task[None]:
        return asyncio.ensure_future(writer.keep(events, lambda: None))

    with stores.control.transaction():
        tasks = [keep([made(0)])]
        await asyncio.sleep(0)
        until(lambda: not writer._jobs)
        tasks += [keep(events) for events in groups]
        await asyncio.sleep(0)
    return list(await asyncio.gather(*tasks, return_exceptions=True))


def test_a_request_that_cannot_be_stored_costs_no_other(tmp_path: Path) -> None:
    bad = made(2)._replace(body=None)  # type: ignore[arg-type]
    with closing(open_stores(f"sqlite:///{tmp_path}/w.db")) as stores:
        writer = Writer(stores.events, PATIENCE)
        results = asyncio.run(keep_together(stores, writer, [[made(1)], [bad], [made(3)]]))
        writer.stop()
        kept = [
            int.from_bytes(key, "big") for (key,) in stores.control.all("SELECT id FROM events ORDER BY id")
        ]
    assert [type(result) for result in results] == [type(None), type(None), StoreError, type(None)]
    assert kept == [0, 1, 3]


def test_a_full_group_waits_for_no_pace_and_a_small_one_for_more(tmp_path: Path) -> None:
    async def keep_one_after_the_other(writer: Writer) -> None:
        for number in range(BURST):
            await writer.keep([made(number)], lambda: None)
        small = [
            asyncio.ensure_future(writer.keep([made(100 + number)], lambda: None)) for number in range(3)
        ]
        await asyncio.wait(small, timeout=0.05)
        assert not any(task.done() for task in small)
        full = [made(1000 + number) for number in range(MOST_TOGETHER)]
        await writer.keep(full, lambda: None)
        await asyncio.gather(*small)

    with closing(open_stores(f"sqlite:///{tmp_path}/w.db")) as stores:
        stores.events.pause_seconds = 3600.0
        writer = Writer(stores.events, PATIENCE)
        asyncio.run(keep_one_after_the_other(writer))
        writer.stop()
    assert writer.tally.stored == BURST + 3 + MOST_TOGETHER
    assert writer.tally.commits == BURST + 2


def test_requests_that_arrive_together_share_one_transaction(tmp_path: Path) -> None:
    with closing(open_stores(f"sqlite:///{tmp_path}/w.db")) as stores:
        writer = Writer(stores.events, PATIENCE)
        results = asyncio.run(keep_together(stores, writer, [[made(number)] for number in range(1, 9)]))
        writer.stop()
    assert results == [None] * 9
    assert (writer.tally.stored, writer.tally.commits) == (9, 2)
