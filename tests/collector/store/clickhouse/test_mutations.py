"""Deletions, as the server says how far they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from collector.store import EventStore
from collector.store.clickhouse import mutations
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.mutations import delete_rows
from collector.store.clickhouse.text import Row
from collector.store.errors import StoreUnavailable
from tests.collector.store.contract.history import made_history

pytestmark = [pytest.mark.needs("clickhouse"), pytest.mark.once]


@pytest.mark.parametrize("left", [0, 3, None])
def test_a_deletion_whose_end_the_server_forgets_ends_when_no_part_is_left(
    opened: Callable[[], EventStore], client: Client, left: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As servers of before May 2020 now and then do: no part is left, and it is not said to be done."""
    monkeypatch.setattr(mutations, "STUCK_SECONDS", 0.0)
    monkeypatch.setattr(mutations, "LONGEST_SECONDS", 2.0)
    opened().keep(made_history(0))
    ask, looks = client.rows_of_each, list[int]()

    def forgets(sql: str, *values: object) -> list[list[Row]]:
        looks.append(len(looks))
        more = left is None or len(looks) <= left
        return [[(n, 0, parts + more)] for ((n, _, parts),) in ask(sql, *values)]

    monkeypatch.setattr(client, "rows_of_each", forgets)
    if left is None:
        with pytest.raises(StoreUnavailable, match="has not finished to delete from events"):
            delete_rows(client, "events", "time > 0")
    else:
        delete_rows(client, "events", "time > 0")
        assert len(looks) > left
        assert client.rows("SELECT count() AS n FROM events") == [(0,)]
