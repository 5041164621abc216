"""`cluster check` on one server: what it says, and that it notices what does not hold."""

from __future__ import annotations

import http.client
from contextlib import closing
from pathlib import Path
from unittest.mock import Mock

import pytest

from collector.store import check_events
from collector.store.clickhouse import check
from collector.store.clickhouse.client import Client
from tests.collector.clickhouse import Debians
from tests.collector.running import Collector
from tests.deadends import unused_port

pytestmark = [pytest.mark.needs("clickhouse"), pytest.mark.once]


def databases(server: Debians) -> str:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
        connection.request("POST", "/", "SHOW DATABASES")
        return connection.getresponse().read().decode()


def test_one_server_holds_and_is_left_as_it_was(clickhouse: Debians, tmp_path: Path) -> None:
    idle = Collector(
        tmp_path, f"sqlite:///{tmp_path}/never.db", ROLLCALL_COLLECTOR_EVENTS=clickhouse.database()
    )
    before = databases(clickhouse)
    said = idle.verb("cluster", "check").stdout
    assert len(said.splitlines()) == 6
    assert all(line.startswith("ok    ") for line in said.splitlines())
    assert "1200 are counted, 1200 exported" in said
    assert databases(clickhouse) == before
    assert not (tmp_path / "never.db").exists()


@pytest.mark.parametrize(
    ("told", "holds"),
    [
        ([("10", "18.16.1"), ("10", "18.16.1")], True),
        ([("10", "18.16.1"), ("300", "18.16.1")], False),
        ([("300", "26.9.1.1")], True),  # takes the time from the query
    ],
)
def test_an_old_server_that_would_wait_for_a_frozen_one_is_told_what_to_set(
    told: list[tuple[str, str]], *, holds: bool
) -> None:
    servers = Mock(Client)
    servers.rows_of_each.return_value = [[row] for row in told]
    found = check._patience(servers)
    assert found.holds == holds
    assert ("set receive_timeout to 10" in found.text) != holds


def test_a_server_that_is_away_does_not_hold(clickhouse: Debians) -> None:
    there = f"127.0.0.1:{clickhouse.port}"
    url = clickhouse.database().replace(there, f"127.0.0.1:{unused_port()},{there}")
    failed = [finding.text for finding in check_events(url) if not finding.holds]
    assert failed == ["1 of 2 servers answer"]


def test_without_a_clickhouse_it_says_what_to_name(tmp_path: Path) -> None:
    idle = Collector(tmp_path, f"sqlite:///{tmp_path}/never.db")
    assert "use --events URL" in idle.verb("cluster", "check", code=1).stderr
