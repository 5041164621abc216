"""A collector is killed while it deletes from ClickHouse, at any statement, and does it again."""

from __future__ import annotations

import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from collector.base.ids import as_uuid
from collector.base.times import DAY_MS
from collector.store import open_stores
from collector.store.clickhouse.address import read_address
from collector.store.clickhouse.client import Client
from tests.collector.clickhouse import Debians
from tests.collector.running import Collector
from tests.collector.statement_proxy import Changes, proxied
from tests.collector.store.contract.answers import told_by
from tests.collector.store.contract.history import INSTANCES, NOW, SOURCE, made_history
from tests.wait import PATIENCE

pytestmark = [pytest.mark.needs("clickhouse"), pytest.mark.once, pytest.mark.timeout(1200)]

AGE = 20 * DAY_MS
KILLS = 3  # in the short form, of some dozen statements
WHO = INSTANCES[0]


def old() -> list[str]:
    """The verb that has expire what is older than AGE before the end of the history."""
    return ["purge", "--older-than", f"{time.time_ns() // 10**9 - (NOW - AGE) // 1000}s"]


def filled(clickhouse: Debians, home: Path, *, expired: bool) -> Collector:
    """A collector on a new database with a history, of which some has expired already."""
    made = Collector(home, f"sqlite:///{home}/c.db", ROLLCALL_COLLECTOR_EVENTS=clickhouse.database())
    home.mkdir()
    made.verb("keys", "add", "test")
    with closing(open_stores(made.database, made.settings["ROLLCALL_COLLECTOR_EVENTS"])) as stores:
        stores.events.keep(made_history(3))
    if expired:
        made.verb(*old())
    return made


def run_to(made: Collector, clickhouse: Debians, verb: list[str], number: int = 0) -> int:
    """Run a verb, killed at one of the statements that change something; how many it has made."""
    there, dead = threading.Event(), threading.Event()
    started: list[subprocess.Popen[str]] = []

    def kill() -> None:
        there.wait()
        started[0].kill()
        started[0].wait()
        dead.set()

    changes, url = Changes(number, kill), made.settings["ROLLCALL_COLLECTOR_EVENTS"]
    with proxied(url, [clickhouse.port], changes) as between:
        one = Collector(made.home, made.database, ROLLCALL_COLLECTOR_EVENTS=between)
        with one.popen(*verb) as process:
            started.append(process)
            there.set()
            process.communicate()
    assert dead.wait(PATIENCE) if number else not dead.is_set()
    assert process.returncode == (-9 if number else 0)
    return changes.count


def later(made: Collector) -> None:
    """Let two hours go by, after which the claim of who was killed has ended."""
    with closing(open_stores(made.database)) as stores, stores.control.transaction() as tx:
        assert tx.execute("UPDATE claims SET until = 0")


def answers(made: Collector) -> dict[str, Any]:
    with closing(open_stores(made.database, made.settings["ROLLCALL_COLLECTOR_EVENTS"])) as stores:
        return told_by(stores.events)


def traces(made: Collector, who: bytes) -> dict[str, int]:
    """In which columns an id still is, of whatever table."""
    address = read_address(made.settings["ROLLCALL_COLLECTOR_EVENTS"])
    ids = (
        "SELECT table, name FROM system.columns WHERE database = ? AND position(type, 'FixedString(16)') > 0"
    )
    with closing(Client(address)) as client:
        found = {
            f"{table}.{name}": client.rows(
                f"SELECT count() AS n FROM {table} WHERE source = ? AND {name} = ?", SOURCE, who
            )[0][0]
            for table, name in client.rows(ids, address.database)
        }
    assert found
    return {place: n for place, n in found.items() if n}


def chosen(count: int, *, slow: bool) -> list[int]:
    """At which statements it is killed: the first, the last, and some between; or all."""
    return (
        [*range(1, count + 1)] if slow else sorted({1 + n * (count - 1) // (KILLS - 1) for n in range(KILLS)})
    )


def test_an_expiry_that_is_killed_and_run_again_is_exact(
    clickhouse: Debians, tmp_path: Path, *, slow: bool
) -> None:
    whole = filled(clickhouse, tmp_path / "whole", expired=False)
    before = answers(whole)
    count = run_to(whole, clickhouse, old())
    wanted = answers(whole)
    assert wanted != before
    for number in chosen(count, slow=slow):
        made = filled(clickhouse, tmp_path / f"killed at {number}", expired=False)
        run_to(made, clickhouse, old(), number)
        later(made)
        made.verb(*old())
        assert answers(made) == wanted, number


def test_a_deletion_of_an_instance_that_is_killed_and_run_again_leaves_nothing(
    clickhouse: Debians, tmp_path: Path, *, slow: bool
) -> None:
    verb = ["instances", "delete", as_uuid(WHO), "--source", "test"]
    whole = filled(clickhouse, tmp_path / "whole", expired=True)
    assert traces(whole, WHO)
    count = run_to(whole, clickhouse, verb)
    wanted = answers(whole)
    for number in chosen(count, slow=slow):
        made = filled(clickhouse, tmp_path / f"killed at {number}", expired=True)
        run_to(made, clickhouse, verb, number)
        with closing(open_stores(made.database, made.settings["ROLLCALL_COLLECTOR_EVENTS"])) as stores:
            stores.events.forget(SOURCE, WHO)  # what the verb does; that ends with 1 if nothing is left
        assert answers(made) == wanted, number
        assert traces(made, WHO) == {}, number
