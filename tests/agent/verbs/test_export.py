import subprocess
import sys
from contextlib import closing

import pytest

from agent.base.statedir import StateDir
from agent.outbox.outbox import Outbox
from tests.agent.world import World


@pytest.mark.needs("strace")
def test_an_export_that_is_not_on_disk_lets_go_of_nothing(world: World) -> None:
    state = StateDir(str(world.path / "state"))
    env = world.real_environ(ROLLCALL_USAGE_TELEMETRY="true")
    agent = [sys.executable, "-I", "-m", "agent"]
    subprocess.run([*agent, "track", "Filled"], env=env, cwd=world.cwd, check=True, timeout=60)
    out = world.cwd / "out.jsonl"
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(out)]
    strace += ["-e", "trace=fsync", "-e", "inject=fsync:error=EIO"]
    for prefix, code, left in ((strace, 1, 1), ([], 0, 0)):
        command = [*prefix, *agent, "export", str(out), "--settle"]
        done = subprocess.run(command, env=env, cwd=world.cwd, capture_output=True, check=False, timeout=60)
        assert (done.returncode, b"Input/output error" in done.stderr) == (code, code == 1), done
        with closing(Outbox(state)) as box:
            assert box.count("waiting") == left
        out.unlink(missing_ok=True)


@pytest.mark.needs("strace")
def test_an_export_whose_events_were_let_go_of_stays_though_it_is_interrupted(world: World) -> None:
    """A ^C while SQLite commits is heard of after the commit."""
    state = StateDir(str(world.path / "state"))
    env = world.real_environ(ROLLCALL_USAGE_TELEMETRY="true")
    agent = [sys.executable, "-I", "-m", "agent"]
    subprocess.run([*agent, "track", "Filled"], env=env, cwd=world.cwd, check=True, timeout=60)
    out = world.cwd / "out.jsonl"
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", state.outbox]
    strace += ["-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:signal=INT"]
    command = [*strace, *agent, "export", str(out), "--settle"]
    done = subprocess.run(command, env=env, cwd=world.cwd, capture_output=True, check=False, timeout=60)
    assert done.returncode == 130, done
    with closing(Outbox(state)) as box:
        assert (box.count("waiting"), box.count("exported")) == (0, 1)
    assert b"Filled" in out.read_bytes()
