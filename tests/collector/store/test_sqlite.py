"""The one write connection of SQLite, and who gets it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.store.sqlite import SQLiteDatabase
from tests.wait import until


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SQLiteDatabase]:
    with closing(SQLiteDatabase(str(tmp_path / "c.db"))) as opened:
        yield opened


def test_who_writes_again_and_again_lets_others_write_in_between(file: SQLiteDatabase) -> None:
    order: list[str] = []

    def write(name: str) -> None:
        with file.transaction():
            order.append(name)

    waiting = threading.Thread(target=write, args=["who waited"])
    with file.transaction():
        waiting.start()
        until(file._turn.locked, 20)
    write("who had it")
    waiting.join(20)
    assert order == ["who waited", "who had it"]
