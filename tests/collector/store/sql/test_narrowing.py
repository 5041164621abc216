"""What an older version stored is stored anew while the server goes on, and no answer changes."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from collector.admin import tokens, users
from collector.base.events import BEAT, Event
from collector.store import ControlStore, Stores, open_database, open_stores
from collector.store.answers import answered_sources
from collector.store.beats import narrow_beat
from collector.store.sql import forgetting, narrowing, transfer
from collector.store.sql.days import all_days, table_of
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import INSTANCES, KEYS, OTHER_SOURCE, SOURCE, made_history
from tests.collector.store.old import leave_old_database

HISTORY = made_history(7)
# Made by the last version that stored all heartbeats with their JSON, from this history.
OLD_FILE = Path(__file__).parents[1] / "old.db.gz"

Old = Callable[[Sequence[Event]], Stores]


@pytest.fixture
def old(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Old]:
    """Opens a database in which an older version stored these events."""
    opened: list[Stores] = []

    def leave(events: Sequence[Event]) -> Stores:
        leave_old_database(database, events, monkeypatch)
        opened.append(open_stores(database))
        monkeypatch.setattr(narrowing, "PIECE", 20)
        return opened[-1]

    yield leave
    for stores in opened:
        stores.close()


def exported(stores: Stores) -> Counter[str]:
    return Counter(body for piece in stores.events.export() for _, body in piece)


def wide(stores: Stores) -> list[bytes]:
    rows = stores.control.all("SELECT id FROM events WHERE name = ?", BEAT)
    return sorted(bytes(key) for (key,) in rows)


def narrow(stores: Stores) -> int:
    tables = [table_of(day).name for day in all_days(stores.control)]  # type: ignore[arg-type]
    return sum(int(stores.control.all(f"SELECT COUNT(*) FROM {table}")[0][0]) for table in tables)


def check(stores: Stores, history: Sequence[Event]) -> None:
    """Every answer is right, every counter is, and every event comes out as it went in."""
    for source in (SOURCE, OTHER_SOURCE):
        assert told_by(stores.events, source) == said_by(history, source)
    assert stores.events.recount(lambda _: None) == 0
    assert exported(stores) == Counter(event.body for event in history)


def renew_all(stores: Stores) -> None:
    while stores.events.renew():
        pass


def test_no_answer_changes_before_between_and_after_the_pieces(old: Old) -> None:
    stores = old(HISTORY)
    check(stores, HISTORY)
    assert narrow(stores) == 0
    left = [len(HISTORY)]
    while left[-1]:
        left.append(stores.events.renew())
        check(stores, HISTORY)
    assert left == sorted(left, reverse=True)
    assert len(left) > 5
    beats = [event for event in HISTORY if event.name == BEAT]
    assert wide(stores) == sorted(event.id for event in beats if narrow_beat(event) is None)
    assert narrow(stores) == len(beats) - len(wide(stores)) > 20


def test_events_that_come_meanwhile_are_stored_once(old: Old) -> None:
    stores = old(HISTORY[:80])
    for start in range(0, 160, 20):
        stores.events.keep(HISTORY[start : start + 40])
        stores.events.renew()
    renew_all(stores)
    check(stores, HISTORY)


def test_a_piece_that_fails_is_done_again(old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = old(HISTORY)
    left = stores.events.renew()
    with monkeypatch.context() as broken:
        broken.setattr(narrowing, "table_of", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            renew_all(stores)
    check(stores, HISTORY)
    assert 0 < stores.events.renew() <= left
    renew_all(stores)
    check(stores, HISTORY)


@pytest.mark.parametrize("who", INSTANCES[:3])
def test_an_instance_is_forgotten_though_its_heartbeats_move_meanwhile(
    old: Old, monkeypatch: pytest.MonkeyPatch, who: bytes
) -> None:
    stores = old(HISTORY)
    search = forgetting._search
    searches = list[int]()

    def search_and_move(*arguments: object) -> object:
        found = search(*arguments)  # type: ignore[arg-type]
        searches.append(narrow(stores))
        renew_all(stores)
        return found

    monkeypatch.setattr(forgetting, "_search", search_and_move)
    stores.events.forget(SOURCE, who)
    assert searches[0] == 0 < searches[1]  # it began again
    kept = [event for event in HISTORY if (event.source, event.who) != (SOURCE, who)]
    renew_all(stores)
    assert exported(stores) == Counter(event.body for event in kept)
    assert stores.events.recount(lambda _: None) == 0


def test_while_instances_are_made_anew_nothing_moves(old: Old) -> None:
    stores = old(HISTORY)
    moved = list[tuple[int, int]]()

    def move(_: int) -> None:
        before = narrow(stores)
        moved.append((stores.events.renew(), narrow(stores) - before))

    stores.events.remove(KEYS[0], 0, 2**60, move)
    assert moved
    assert all(left and not count for left, count in moved)
    renew_all(stores)
    kept = [event for event in HISTORY if event.key != KEYS[0]]
    assert narrow(stores) > 0
    check(stores, kept)


def test_an_export_misses_nothing_that_moves_meanwhile(old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = old(HISTORY)
    monkeypatch.setattr(transfer, "EVENTS_AT_ONCE", 10)
    seen = Counter[str]()
    for piece in stores.events.export():
        seen.update(body for _, body in piece)
        if len(seen) > len(HISTORY) // 2:
            renew_all(stores)
    assert narrow(stores) > 20
    assert set(seen) == {event.body for event in HISTORY}


def test_a_new_database_has_nothing_to_store_anew(stores: Stores) -> None:
    stores.events.keep(HISTORY)
    assert stores.events.renew() == 0
    check(stores, HISTORY)


def test_a_file_of_the_last_version_before_opens_with_all_that_it_had(tmp_path: Path) -> None:
    (tmp_path / "old.db").write_bytes(gzip.decompress(OLD_FILE.read_bytes()))
    url = f"sqlite:///{tmp_path}/old.db"
    with closing(open_database(url)) as tables:
        assert tables.all("SELECT COUNT(*) FROM events") == [(len(HISTORY),)]
    with closing(open_stores(url)) as stores:
        used = stores.events.usage_since(0)
        check(stores, HISTORY)
        renew_all(stores)
        check(stores, HISTORY)
        assert narrow(stores) > 20
        assert stores.events.usage_since(0) == used
        assert sum(one.events for one in used) == len(HISTORY)
        assert [name for name, *_ in users.list_users(stores.control)] == ["ada"]
        assert [name for name, *_ in tokens.list_tokens(stores.control)] == ["robot"]
        assert list(answered_sources(stores.control)) == [SOURCE]
        assert isinstance(stores.control, ControlStore)
        assert stores.control.all("SELECT n FROM rejects") == [(2,)]
        assert stores.control.all("SELECT COUNT(*) FROM sources") == [(2,)]
