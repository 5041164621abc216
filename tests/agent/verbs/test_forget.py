import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.base.clock import read_clocks
from agent.base.locks import hold_lock
from agent.heartbeat.due import Due, write_due
from tests.agent.verbs.test_switch import record
from tests.agent.world import World, tree


def test_forget_leaves_no_tie_to_the_last_id(world: World) -> None:
    world.run("beat")
    first = world.run("status", "--json").json["instanceId"]
    Path(world.state.id + ".77.new").write_text(str(first))
    assert world.run("forget").code == 0
    left = [path for path in tree(Path(world.state.path)) if not path.endswith("lock")]
    assert left == []
    assert world.run("status", "--json").json["instanceId"] is None
    world.run("beat")
    assert world.run("status", "--json").json["instanceId"] != first


def test_what_is_forgotten_does_not_come_back_after_a_power_cut(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is written to the disk once the names are gone from it."""
    seen: list[tuple[str, bool]] = []

    def sync(folder: str) -> None:
        seen.append((folder, os.path.exists(world.state.id)))

    world.run("beat")
    monkeypatch.setattr("agent.verbs.forget.sync_directory", sync)
    assert os.path.exists(world.state.id)
    assert world.run("forget").code == 0
    assert (world.state.path, False) in seen


def test_forget_while_the_daemon_runs_keeps_the_next_beat_right(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run("beat")
    clocks = read_clocks()
    world.now = clocks.wall
    monkeypatch.setattr("agent.verbs.status.read_clocks", lambda: clocks)  # no time passes, as in the world
    write_due(world.state.due, Due(1, clocks.boot + 900, clocks.boot + 900, clocks))
    planned = world.run("status", "--json").json["nextBeat"]
    with hold_lock(world.state.daemon, 0):
        assert world.run("forget").code == 0
    status = world.run("status", "--json").json
    assert planned
    assert status["instanceId"] is None
    assert status["nextBeat"] == planned
    assert world.run("forget").code == 0
    assert world.run("status", "--json").json["nextBeat"] is None, "no daemon runs"


def test_forget_where_there_is_nothing_makes_nothing(world: World) -> None:
    done = world.run("forget")
    assert (done.code, "nothing to delete" in done.err) == (0, True)
    assert not os.path.exists(world.state.path)


def test_forget_does_not_pull_the_queue_from_under_a_sender(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.verbs.forget.SENDER_WAIT", 0.05)
    record(world)
    hold = "import sys, signal\nfrom agent.base.locks import hold_lock\n"
    hold += "with hold_lock(sys.argv[1], 0): print(1, flush=True), signal.pause()"
    with subprocess.Popen(
        [sys.executable, "-I", "-c", hold, world.state.sender], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline()
        done = world.run("forget")
        other.kill()
    assert (done.code, "events are being sent" in done.err) == (1, True)
    assert os.path.exists(world.state.outbox)


def test_forget_does_not_end_the_silence_of_a_docker_env_that_is_gone(world: World) -> None:
    file = world.env_file("ROLLCALL_PRODUCT=Shop\n")
    world.run("beat")
    file.unlink()
    for _ in range(2):
        assert world.run("status", "--json").json["rule"] == "gone"
        assert world.run("forget").code == 0
    assert tree(Path(world.state.path)) == ["env-files", "lock", "sender.lock"]
    world.run("enable")
    assert world.run("status", "--json").json["rule"] == "no-flag"
