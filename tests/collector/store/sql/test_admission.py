"""What a day counts by itself is bounded, and what was decided holds."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from collector.base.events import STARTED, SUCCESS, Event, Fact
from collector.base.times import DAY_MS
from collector.store import Stores
from collector.store.database import Database
from collector.store.sql import admission
from collector.store.sql.admission import admit_words
from collector.store.sql.folding import fold_waiting
from collector.store.words import MOST_WORDS, OTHER, Word
from tests.collector.store.test_rollups import NOW, counted, distinct, empty, events, recount

DAY = NOW // DAY_MS


def admit(tables: Database, *texts: str, day: int = DAY) -> set[str]:
    with tables.transaction() as tx:
        return {word[-1] for word in admit_words(tx, [(1, "name", day, text) for text in texts])}


def many(lead: str, count: int = MOST_WORDS) -> list[str]:
    return [f"{lead}{number}" for number in range(count)]


def test_a_day_has_so_many_places_and_what_got_none_gets_none_later(tables: Database) -> None:
    assert admit(tables, *many("a", MOST_WORDS - 1)) == set(many("a", MOST_WORDS - 1))
    assert admit(tables, "b", "c") == {"b"}
    for _ in range(2):
        assert admit(tables, "a1", "b", "c", "d") == {"a1", "b"}
    assert admit(tables, "c", day=DAY - 7) == {"c"}
    assert tables.all("SELECT COUNT(*) FROM words WHERE day = ?", DAY) == [(MOST_WORDS,)]


def test_a_flood_displaces_no_word_of_the_day_before(tables: Database) -> None:
    admit(tables, "1.0", "2.0", day=DAY - 1)
    flood = admit(tables, *many("junk", 3 * MOST_WORDS))
    assert len(flood) == MOST_WORDS - 2
    assert admit(tables, "1.0", "2.0", "3.0") == {"1.0", "2.0"}


def test_what_a_day_did_not_use_has_no_place_on_the_next(tables: Database) -> None:
    admit(tables, "old", day=DAY - 2)
    admit(tables, "new", day=DAY - 1)
    assert admit(tables, *many("junk")) >= set(many("junk", 1))
    assert admit(tables, "new", "old") == {"new"}


def test_the_word_for_all_others_has_no_place_of_its_own(tables: Database) -> None:
    assert admit(tables, OTHER) == set()
    assert tables.all("SELECT * FROM words") == []


def started(number: int, day: int = 0) -> Event:
    key = number.to_bytes(16, "big")
    fact = Fact(version=f"v{number}", os=f"os{number}", script=f"s{number}")
    time = NOW + day * DAY_MS
    return Event(1, key, time, time, "track", STARTED, key, key, "{}", None, fact)


def test_a_run_is_taken_back_from_where_it_was_counted(stores: Stores, tables: Database) -> None:
    """Also where its version has a place by now, on another day."""
    stores.events.keep(started(number) for number in range(MOST_WORDS + 50))
    late = [event._replace(id=bytes([1]) + event.id[1:], name=SUCCESS) for event in map(started, range(250))]
    stores.events.keep(late)
    fold_waiting(tables)
    for kind in ("version", "system"):
        rows = tables.all("SELECT word, outcome, n FROM outcomes WHERE kind = ? AND n <> 0", kind)
        assert {(outcome, n) for word, outcome, n in rows if word != OTHER} == {("success", 1)}
        assert [(outcome, n) for word, outcome, n in rows if word == OTHER] == [("success", 50)]
        assert len(rows) == MOST_WORDS + 1


def folded(plain: dict[str, Any], admitted: set[Word]) -> dict[str, Any]:
    """A plain count, with each word that has no place under OTHER."""
    daily: Counter[tuple[Any, ...]] = Counter()
    for (source, day, call, name), n in plain["daily"].items():
        daily[source, day, call, name if (source, "name", day, name) in admitted else OTHER] += n
    outcomes: Counter[tuple[Any, ...]] = Counter()
    for (source, kind, day, word, outcome), n in plain["outcomes"].items():
        known = kind.endswith("all") or (source, kind, day, word) in admitted
        outcomes[source, kind, day, word if known else OTHER, outcome] += n
    return {**plain, "daily": dict(daily), "outcomes": dict(outcomes)}


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(events(), max_size=60), st.integers(0, 2**32))
def test_counters_equal_a_recount_by_the_words_that_have_places(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch, found: list[Event], seed: int
) -> None:
    """Which words have places depends on the order; all numbers follow from that."""
    monkeypatch.setattr(admission, "MOST_WORDS", 2)
    empty(tables)
    chance = random.Random(seed)
    pending = distinct(found)
    everything = pending.copy()
    chance.shuffle(everything)
    while everything:
        stores.events.keep(everything[: (size := chance.randint(1, 20))])
        del everything[:size]
        if chance.random() < 0.5:
            stores.events.fold()
    fold_waiting(tables)
    admitted = {
        (source, kind, day, word)
        for source, kind, day, word in tables.all("SELECT source, kind, day, word FROM words")
    }
    assert counted(tables) == folded(recount(pending), admitted)
    per_day: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    for source, kind, day, _ in admitted:
        per_day[source, kind, day] += 1
    assert max(per_day.values(), default=0) <= 2
