"""A look for what is old reads all events: not again before something old came, and in its own time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from collector.base.events import STARTED
from collector.base.times import DAY_MS
from collector.store import EventStore, StoreUnavailable
from collector.store.clickhouse import expiry
from collector.store.values import Cutoffs, Expired, Expiry
from tests.collector.store.clickhouse.fleet import quiet
from tests.collector.store.contract.answers import told_by
from tests.collector.store.contract.history import KEYS, NOW, keep_in_pieces, made_history

pytestmark = [pytest.mark.once, pytest.mark.needs("clickhouse")]

BEFORE = Cutoffs.all_at(NOW - 20 * DAY_MS)
NEXT_DAY = Cutoffs.all_at(NOW - 19 * DAY_MS)


def test_what_is_old_is_looked_for_again_if_the_cutoffs_change_or_something_old_came(
    opened: Callable[[], EventStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, history = opened(), made_history(0)
    keep_in_pieces(store, history)
    found = store.expire(BEFORE, NOW, quiet)
    assert found.deleted > 0
    told = told_by(store)

    def fail(*_: Any) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(expiry, "count_gone_instances", fail)  # which reads all events
        for hour in (1, 2):
            assert store.expire(BEFORE, NOW + hour, quiet) == Expired()
            assert store.last_expiry() == Expiry(NOW + hour, NOW, found)
            assert told_by(store) == told
        for one, before in ((store, NEXT_DAY), (opened(), BEFORE)):
            with pytest.raises(StoreUnavailable):
                one.expire(before, NOW + 3, quiet)
    old = next(event for event in history if event.name == STARTED and event.received < BEFORE.events)
    assert store.keep([old._replace(source=9)]) == 1
    assert store.expire(BEFORE, NOW + 4, quiet) == Expired(events=1)
    assert store.last_expiry() == Expiry(NOW + 4, NOW + 4, Expired(events=1))
    assert store.expire(BEFORE, NOW + 5, quiet) == Expired()


def test_what_deletes_by_age_or_key_has_longer_than_a_view(
    opened: Callable[[], EventStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of its statements read all events."""
    store: Any = opened()
    keep_in_pieces(store, made_history(0))
    assert store.renew() == 0
    assert store._patient._longest > store._client._longest

    def fail(*_: Any, **__: Any) -> None:
        raise StoreUnavailable

    for name in ("rows", "run", "insert"):
        monkeypatch.setattr(store._client, name, fail)
    assert store.expire(BEFORE, NOW, quiet).deleted > 0
    assert store.remove(KEYS[0], 0, NOW + 1, quiet) > 0
