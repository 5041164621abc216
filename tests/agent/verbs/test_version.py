"""A heartbeat that finds another version of the product tells it: once, and only after a yes."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from typing import Any

import pytest

from agent.events import catalogue
from agent.outbox.outbox import LogEntry, Outbox, read_outbox
from tests.agent.world import World

YES, NO = {"ROLLCALL_USAGE_TELEMETRY": "true"}, {"ROLLCALL_USAGE_TELEMETRY": "false"}
OPEN = {"ROLLCALL_USAGE_TELEMETRY": "ask"}
OFF = {"DO_NOT_TRACK": "1"}
LIVES = 4
KILLED = """
import os, signal, sys
from agent.base.statedir import StateDir
from agent.outbox.outbox import Outbox

def upgrade_from(before):
    if sys.argv[2] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"messageId": before, "event": "Instance Upgraded", "properties": {}}

Outbox(StateDir(sys.argv[1])).follow_version("2.0", upgrade_from, "")
os.kill(os.getpid(), signal.SIGKILL)
"""


def beat(world: World, version: str, **more: str) -> None:
    """A heartbeat with these settings."""
    before = dict(world.environ)
    world.environ |= {"ROLLCALL_PRODUCT_VERSION": version, **more}
    assert world.run("beat").code == 0
    world.environ = before


def entries(world: World, name: str) -> list[LogEntry]:
    with read_outbox(world.state) as outbox:
        return [row for row in outbox.entries() if row.name == name] if outbox else []


def told(world: World) -> list[tuple[str, dict[str, Any] | None]]:
    """State and properties of each upgrade in the log; None for one that was erased."""
    upgrades = entries(world, catalogue.UPGRADED)
    return [(row.state, json.loads(row.payload)["properties"] if row.payload else None) for row in upgrades]


def upgrade(before: str, after: str) -> tuple[str, dict[str, Any]]:
    return "waiting", {"from": before, "to": after}


def test_an_upgrade_is_told_once_and_only_after_a_yes(world: World) -> None:
    for version in ("1.0", "2.0"):
        beat(world, version, **OPEN)
        beat(world, version, **NO)
    assert told(world) == []
    for version in ("2.0", "2.0", "3.0", "3.0", "2.9 ~ü/x", "3.0"):
        beat(world, version, **YES)
    assert told(world) == [upgrade("2.0", "3.0"), upgrade("3.0", "2.9 ~ü/x"), upgrade("2.9 ~ü/x", "3.0")]


@pytest.mark.parametrize(
    "between",
    [
        {**OPEN, "ROLLCALL_PRODUCT_VERSION": "1.0"},
        {**NO, "ROLLCALL_PRODUCT_VERSION": "1.0"},
        {**YES, "ROLLCALL_USAGE_VERSION": "2"},
        {**YES, **OFF},
        {**YES, "ROLLCALL_PRODUCT_VERSION": ""},
        YES,
    ],
    ids=["open", "no", "yes to less", "silent", "version not set", "yes"],
)
def test_a_yes_that_comes_later_tells_nothing_from_before(world: World, between: dict[str, str]) -> None:
    """Whatever ends the yes forgets the version, also if no upgrade was noticed meanwhile."""
    beat(world, "1.0", **YES)
    beat(world, "1.0", **between)
    beat(world, "2.0", **YES)
    assert told(world) == ([upgrade("1.0", "2.0")] if between is YES else [])


def test_a_no_that_no_heartbeat_saw_forgets_the_version_too(world: World) -> None:
    world.env_file("ROLLCALL_USAGE_TELEMETRY=true\n")
    beat(world, "1.0")
    assert world.run("export", str(world.path / "events"), "--settle").code == 0
    for choice in ("off", "on"):
        assert world.run("consent", "usage", choice).code == 0
    beat(world, "2.0")
    assert told(world) == []
    beat(world, "3.0")
    assert told(world) == [upgrade("2.0", "3.0")]


def test_a_no_erases_an_upgrade_that_waits(world: World) -> None:
    beat(world, "1.0", **YES)
    beat(world, "2.0", **YES)
    assert told(world) == [upgrade("1.0", "2.0")]
    beat(world, "2.0", **NO)
    assert told(world) == [("deleted", None)]
    assert [row.state for row in entries(world, catalogue.ACTIVE)] == ["waiting"] * 3


def test_an_upgrade_is_not_told_until_the_event_was_shown(world: World) -> None:
    beat(world, "1.0", **YES)
    with open(world.state.shown, "w") as note:
        note.write("2\n")
    beat(world, "2.0", **YES)
    assert "Instance Upgraded" in world.run("preview", "--new").err
    beat(world, "3.0", **YES)
    assert told(world) == [], "what was not shown is not told afterwards"
    beat(world, "4.0", **YES)
    assert told(world) == [upgrade("3.0", "4.0")]


def test_several_processes_that_notice_an_upgrade_tell_it_once(world: World) -> None:
    beat(world, "1.0", **YES)
    environ = world.real_environ(ROLLCALL_PRODUCT_VERSION="2.0", **YES, ROLLCALL_STATE_DIR=world.state.path)
    command = [sys.executable, "-I", "-m", "agent", "beat"]
    with contextlib.ExitStack() as stack:
        beats = [
            stack.enter_context(subprocess.Popen(command, env=environ, cwd=world.cwd)) for _ in range(LIVES)
        ]
        assert [one.wait() for one in beats] == [0] * LIVES
    assert told(world) == [upgrade("1.0", "2.0")]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_neither_loses_nor_doubles_an_upgrade(world: World, when: str) -> None:
    """Before: in the middle of the transaction. After: when it is on disk."""
    beat(world, "1.0", **YES)
    done = subprocess.run([sys.executable, "-c", KILLED, world.state.path, when], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(told(world)) == (when == "after")
    event = {"messageId": "later", "event": catalogue.UPGRADED, "properties": {}}
    with contextlib.closing(Outbox(world.state)) as outbox:
        for _ in range(2):
            outbox.follow_version("2.0", lambda _: event, "")
    found = [row.message_id for row in entries(world, catalogue.UPGRADED)]
    assert found == ["1.0" if when == "after" else "later"]
