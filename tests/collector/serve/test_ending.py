"""A stop has a bound, whatever the store still does, and loses nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from collector.admin import keys
from collector.alerts.watcher import Watcher
from collector.base.background import BackgroundJob, Stopped
from collector.ingest.disk import DiskWatch
from collector.page.queries.census import CensusCache
from collector.page.queries.history import HistoryCache
from collector.public.numbers import set_public
from collector.public.publisher import Publisher
from collector.serve import ending, server
from collector.settings import read_settings
from collector.store import Stores
from collector.verbs import serving
from tests.collector.running import Collector, event
from tests.environ import bare
from tests.wait import PATIENCE

ROOT = Path(__file__).parents[3]

# A server one of whose questions to SQLite has no end. Its store says when it is closed.
NEVER_ANSWERED = """
import sys
from collector import cli
from collector.base.background import in_background
from collector.serve import ending, server
from collector.store.sql import instances
from collector.store.sql.store import SqlEventStore
from collector.store.sqlite import SQLiteDatabase

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
take, keep, close = instances.take_census, SqlEventStore.keep, SQLiteDatabase.close

def ask(database):
    sys.stderr.write("asked\\n")
    sys.stderr.flush()
    database.all(ENDLESS)

def take_census(database, *given):
    if WHERE == ("background" if in_background() else "view"):
        ask(database)
    return take(database, *given)

def keep_events(self, events):
    if WHERE == "writer" and any(one.name == "Last" for one in events):
        ask(self._database)
    return keep(self, events)

def close_and_say(self):
    sys.stderr.write("closed\\n")
    close(self)

instances.take_census, SqlEventStore.keep, SQLiteDatabase.close = take_census, keep_events, close_and_say
server.GRACE_SECONDS, ending.END_SECONDS = 0.2, 1.0
sys.exit(cli.main())
"""


@pytest.fixture
def asked_in(idle: Collector) -> Iterator[Callable[[str], Collector]]:
    """Start a server whose store never answers there: a count in the background, a view, or the writer."""

    def start(where: str) -> Collector:
        idle.program = ("-c", f"WHERE = {where!r}\n{NEVER_ANSWERED}")
        started.append(idle.start().process)
        return idle

    started: list[subprocess.Popen[str] | None] = []
    yield start
    for process in started:
        assert process is not None
        process.kill()
        process.communicate(timeout=PATIENCE)


def wait_until_asked(collector: Collector) -> None:
    assert collector.process is not None
    assert collector.process.stderr is not None
    assert any(line == "asked\n" for line in collector.process.stderr)


def post(collector: Collector) -> None:
    for _ in range(10):
        assert collector.post("/v1/batch", {"batch": [event() for _ in range(10)]}).status == 200


def test_a_stop_does_not_wait_for_a_count_in_the_background(asked_in: Callable[[str], Collector]) -> None:
    collector = asked_in("background")
    post(collector)
    wait_until_asked(collector)
    said = collector.stop()
    assert "does not wait for: census" in said
    assert "closed" not in said  # a statement of a closed connection ends the process with SIGSEGV
    assert len(collector.export()) == 100


@pytest.mark.parametrize("where", ["view", "writer"])
def test_a_stop_does_not_wait_for_the_question_of_a_request(
    asked_in: Callable[[str], Collector], where: str
) -> None:
    collector = asked_in(where)
    post(collector)
    cookie = collector.setup_cookie()
    answered = []

    def ask() -> None:
        with suppress(OSError, HTTPException):
            if where == "view":
                answered.append(collector.get("/overview", Cookie=cookie))
            else:
                answered.append(collector.post("/v1/track", event(event="Last")))

    request = threading.Thread(target=ask)
    request.start()
    wait_until_asked(collector)
    said = collector.stop()
    request.join(PATIENCE)
    assert answered == []
    assert "does not wait for: the store" in said
    assert "closed" not in said
    assert len(collector.export()) == 100


def test_a_stop_that_waits_for_nothing_closes_the_store(asked_in: Callable[[str], Collector]) -> None:
    collector = asked_in("nowhere")
    post(collector)
    said = collector.stop()
    assert "does not wait for" not in said
    assert "closed" in said
    assert len(collector.export()) == 100


def test_the_end_comes_although_nobody_reads_what_is_said(tmp_path: Path) -> None:
    code = (
        "import sys, threading\n"
        "from collector.serve import ending\n"
        "ending.END_SECONDS = 0\n"
        "sys.stdout.write('unread')\n"
        "ending.end_soon([])\n"
        "threading.Event().wait(10)\n"
        "sys.exit('still here')\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    command, environ = [sys.executable, "-c", code], bare(tmp_path)
    process = subprocess.run(
        command, cwd=ROOT, env=environ, stdout=writer, stderr=subprocess.DEVNULL, check=False
    )
    os.close(writer)
    assert process.returncode == 0


def test_the_bound_of_a_stop_is_shorter_than_the_patience_of_who_asks_for_it() -> None:
    alone = server.GRACE_SECONDS + ending.END_SECONDS
    for file, name in (
        ("systemd/rollcall-collector.service", "TimeoutStopSec="),
        ("deploy/kubernetes/collector/deployment.yaml", "terminationGracePeriodSeconds: "),
    ):
        found = re.search(f"{name}([0-9]+)", (ROOT / file).read_text())
        assert found
        assert alone + serving.SPARE_SECONDS < int(found[1])


def made_jobs(stores: Stores, home: Path) -> Iterator[BackgroundJob]:
    """Jobs of several parts each, all of which have something to do."""
    keys.add_key(stores.control, "shop", 0)
    set_public(stores.control, "shop", 0, public=True, by="ada")
    channels = home / "channels"
    channels.write_text("")
    settings = read_settings({"HOME": str(home), "ROLLCALL_COLLECTOR_ALERTS_FILE": str(channels)})
    history = HistoryCache(stores)
    history._wanted.add((1, "production"))
    yield from (CensusCache(stores), history, Publisher(stores))
    disk = DiskWatch(settings, stores.events)
    yield Watcher(settings, stores, disk)
    disk.stop()


def test_a_long_step_ends_between_its_parts(stores: Stores, tmp_path: Path) -> None:
    for job in made_jobs(stores, tmp_path):
        job.stop()
        with pytest.raises(Stopped):
            job.step()
    for job in made_jobs(stores, tmp_path):
        assert job.step()
