"""`cluster check` on one server: what it says, and that it notices what does not hold."""

from __future__ import annotations

import http.client
from contextlib import closing
from pathlib import Path

import pytest

from collector.store import check_events
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


def test_a_server_that_is_away_does_not_hold(clickhouse: Debians) -> None:
    there = f"127.0.0.1:{clickhouse.port}"
    url = clickhouse.database().replace(there, f"127.0.0.1:{unused_port()},{there}")
    failed = [finding.text for finding in check_events(url) if not finding.holds]
    assert failed == ["1 of 2 servers answer"]


def test_without_a_clickhouse_it_says_what_to_name(tmp_path: Path) -> None:
    idle = Collector(tmp_path, f"sqlite:///{tmp_path}/never.db")
    assert "use --events URL" in idle.verb("cluster", "check", code=1).stderr
