"""Rollcall's own agent against Rollcall's own collector: its programs, its exports, its refusals."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.base.statedir import StateDir
from agent.events import catalogue
from agent.outbox.outbox import Outbox
from collector.base import events
from collector.store import open_database
from collector.store.sql.days import all_days
from tests import environ
from tests.collector.running import Collector
from tests.instance import event
from tests.verbs import run_verb
from tests.wait import PATIENCE

SECONDS = PATIENCE


@pytest.fixture
def agent(collector: Collector, tmp_path: Path) -> Any:
    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        settings = {
            "ROLLCALL_ENDPOINT": f"http://127.0.0.1:{collector.port}",
            "ROLLCALL_WRITE_KEY": collector.key,
            "ROLLCALL_STATE_DIR": str(tmp_path / "state"),
            "ROLLCALL_USAGE_TELEMETRY": "true",
            **more,
        }
        done = run_verb(*arguments, env=environ.bare(tmp_path, **settings), cwd=tmp_path)
        done.check_returncode()
        return done

    return run


def test_agent_and_collector_know_the_same_events() -> None:
    assert set(catalogue.NOT_USAGE) == events.CATALOGUE
    assert set(catalogue.NAMES) == events.CATALOGUE | {events.UPGRADED}


def test_what_the_agent_sends_is_stored_once_as_its_log_shows_it(collector: Collector, agent: Any) -> None:
    agent("beat")
    agent("track", "Backup Made", "-p", "size:=12")
    agent("flush")
    log = [json.loads(line) for line in agent("log", "--json").stdout.splitlines()]
    assert {entry["state"] for entry in log} == {"sent"}
    stored = {event["messageId"]: event for event in collector.export()}
    assert set(stored) == {entry["event"]["messageId"] for entry in log}
    for entry in log:
        kept = stored[entry["event"]["messageId"]]
        assert kept["originalTimestamp"] == entry["event"]["timestamp"]
        assert kept["context"] == entry["event"]["context"]
        assert kept["properties"] == entry["event"]["properties"]


def test_the_heartbeat_of_the_agent_is_stored_narrow(
    collector: Collector, agent: Any, tmp_path: Path
) -> None:
    """Or the disk of the vendor holds a twelfth of them."""
    agent("beat")
    agent("flush")
    with closing(open_database(f"sqlite:///{tmp_path}/collector.db")) as tables:
        assert tables.all("SELECT name FROM events") == []
        assert len(all_days(tables)) == 1
    assert [event["event"] for event in collector.export()] == ["Instance Active"]


def test_what_an_air_gapped_agent_exports_can_be_imported_twice(
    collector: Collector, agent: Any, tmp_path: Path
) -> None:
    agent("track", "Backup Made", ROLLCALL_ENDPOINT="")
    agent("export", str(tmp_path / "out.jsonl.gz"), ROLLCALL_ENDPOINT="")
    for _ in range(2):
        collector.verb("import", "--source", "sneaker", str(tmp_path / "out.jsonl.gz"))
    (stored,) = collector.export()
    assert stored["event"] == "Backup Made"


def test_one_event_that_the_collector_cannot_take_costs_no_other(
    collector: Collector, agent: Any, tmp_path: Path
) -> None:
    made = [event(number) for number in range(3)]
    made[1]["properties"] = {"text": "x" * 40_000}  # no verb makes such an event
    with closing(Outbox(StateDir(str(tmp_path / "state")))) as outbox:
        for one in made:
            outbox.record(one, f"http://127.0.0.1:{collector.port}")
    ended = agent("flush")
    assert "one event was rejected (event_too_large)" in ended.stderr
    log = [json.loads(line) for line in agent("log", "--json").stdout.splitlines()]
    assert [entry["state"] for entry in log] == ["sent", "rejected", "sent"]
    stored = {one["messageId"] for one in collector.export()}
    assert stored == {made[0]["messageId"], made[2]["messageId"]}
    meters = collector.get("/metrics").body.decode()
    assert 'rollcall_request_seconds_count{path="/v1/batch",status="200"} 1.0' in meters


def test_after_the_receipt_the_collector_holds_nothing_of_the_id(collector: Collector, agent: Any) -> None:
    agent("beat")
    instance = json.loads(agent("status", "--json").stdout)["instanceId"]
    assert instance in json.dumps(collector.export())
    receipt = json.loads(agent("forget", "--everywhere").stdout)
    assert (receipt["instanceId"], receipt["deleted"]["events"]) == (instance, 1)
    assert instance not in json.dumps(collector.export())
    assert json.loads(agent("status", "--json").stdout)["instanceId"] is None
