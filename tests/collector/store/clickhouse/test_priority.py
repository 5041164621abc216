"""What is counted in the background waits while somebody's question is answered."""

from __future__ import annotations

import pytest

from collector.base.background import BackgroundJob
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.text import Row
from tests.wait import until

pytestmark = [pytest.mark.needs("clickhouse"), pytest.mark.once]

PRIORITY = "SELECT value FROM system.settings WHERE name = 'priority'"


class Asking(BackgroundJob):
    """Asks once."""

    def __init__(self, client: Client) -> None:
        super().__init__("asking")
        self.client, self.found = client, list[Row]()

    def step(self) -> None:
        self.found = self.client.rows(PRIORITY, database=False)


def test_the_server_answers_the_background_after_all_others(client: Client) -> None:
    job = Asking(client)
    job.start()
    until(lambda: not job.running)
    assert [client.rows(PRIORITY, database=False), job.found] == [[("1",)], [("2",)]]
