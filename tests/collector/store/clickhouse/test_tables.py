"""Tables that an older version made."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from collector.base.environments import ALL
from collector.store import open_stores
from collector.store.clickhouse.address import read_address
from collector.store.clickhouse.client import Client
from tests.collector.clickhouse import Debians, Today
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import keep_in_pieces, made_history

pytestmark = pytest.mark.once

CODECS = (
    "SELECT name, compression_codec AS codec FROM system.columns"
    " WHERE database = currentDatabase() AND table = 'events' AND codec != '' ORDER BY name"
)


@pytest.mark.needs("clickhouse")
def test_tables_without_environments_get_them_and_all_in_them_is_production(
    clickhouse: Debians, tmp_path: Path
) -> None:
    history, url, control = made_history(0), clickhouse.database(), f"sqlite:///{tmp_path}/control.db"
    with closing(open_stores(control, url)) as stores:
        keep_in_pieces(stores.events, history)
    with closing(Client(read_address(url, ""))) as client:
        for table, column in (
            ("events", "environment"),
            ("past_instances", "environment"),
            ("past_instances", "environment_at"),
            ("past_runs", "environment"),
        ):
            client.run(f"ALTER TABLE {table} DROP COLUMN {column}")
    with closing(open_stores(control, url)) as stores:
        assert told_by(stores.events) == told_by(stores.events.within(ALL)) == said_by(history)


@pytest.mark.timeout(600)
def test_tables_without_codecs_get_them_where_the_server_knows_them(chdb: Today, tmp_path: Path) -> None:
    url, control = chdb.database(), f"sqlite:///{tmp_path}/control.db"
    open_stores(control, url).close()
    with closing(Client(read_address(url))) as client:
        made = client.rows(CODECS)
        assert [name for name, _ in made] == ["delay", "received", "seq", "skew", "time", "ver"]
        client.run("ALTER TABLE events MODIFY COLUMN seq REMOVE CODEC")
        assert client.rows(CODECS) != made
        open_stores(control, url).close()
        assert client.rows(CODECS) == made
