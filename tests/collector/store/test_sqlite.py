"""The one write connection of SQLite, and who gets it."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.store import schema
from collector.store.rows import InstanceRow, instance_row
from collector.store.sqlite import SQLiteDatabase
from tests.parts import NOBODY
from tests.wait import PATIENCE, until


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
        until(file._turn.locked)
    write("who had it")
    waiting.join(PATIENCE)
    assert order == ["who waited", "who had it"]


def given_to_the_system() -> int:
    """Bytes that this process has written to files so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def test_what_changes_many_pages_is_written_to_the_log_alone(file: SQLiteDatabase) -> None:
    """Not to a temporary file as well, from which a statement that fails would be undone."""
    chance = random.Random(1)
    rows = [instance_row(InstanceRow(1, chance.randbytes(16), 0, at)) for at in range(6000)]
    chance.shuffle(rows)
    with file.transaction() as tx:
        tx.upsert(schema.INSTANCES, rows)
    file.tidy()
    log = Path(f"{file.path}-wal")
    seen_again = [(*row[:3], 10_000, *row[4:]) for row in rows[:300]]
    before = given_to_the_system()
    with file.transaction() as tx:
        tx.upsert(schema.INSTANCES, seen_again)
    written, logged = given_to_the_system() - before, log.stat().st_size
    assert logged > 500_000
    assert logged <= written < 1.2 * logged


@pytest.mark.needs("root")
@pytest.mark.parametrize(("mode", "owner"), [(0o700, NOBODY), (0o755, 0)])
def test_what_root_makes_in_a_service_s_own_folder_is_the_service_s(
    tmp_path: Path, mode: int, owner: int
) -> None:
    """As when a backup is restored: systemd leaves what is in a folder of the right owner as it is."""
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(mode)
    os.chown(folder, NOBODY, NOBODY)
    with closing(SQLiteDatabase(str(folder / "c.db"))):
        assert {(file.stat().st_uid, file.stat().st_gid) for file in folder.iterdir()} == {(owner, owner)}
        assert {file.name for file in folder.iterdir()} >= {"c.db", "c.db-wal"}


@pytest.mark.needs("root")
def test_a_file_that_was_there_keeps_its_owner(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    SQLiteDatabase(str(elsewhere)).close()
    (folder / "c.db").symlink_to(elsewhere)
    SQLiteDatabase(str(folder / "c.db")).close()
    assert elsewhere.stat().st_uid == 0
