from contextlib import closing

import pytest

from agent.base.statedir import StateDir
from agent.outbox.outbox import Outbox
from tests.agent.world import World
from tests.verbs import run_verb


def strace(path: str) -> tuple[str, ...]:
    """Meddle with the calls about this path alone."""
    return ("strace", "-f", "-qq", "-o", "/dev/null", "-P", path)


@pytest.mark.needs("strace")
def test_an_export_that_is_not_on_disk_lets_go_of_nothing(world: World) -> None:
    state = StateDir(str(world.path / "state"))
    env = world.real_environ(ROLLCALL_USAGE_TELEMETRY="true")
    assert run_verb("track", "Filled", env=env, cwd=world.cwd).returncode == 0
    out = world.cwd / "out.jsonl"
    failing = (*strace(str(out)), "-e", "trace=fsync", "-e", "inject=fsync:error=EIO")
    for prefix, code, left in ((failing, 1, 1), ((), 0, 0)):
        done = run_verb("export", str(out), "--settle", env=env, cwd=world.cwd, prefix=prefix)
        assert (done.returncode, "Input/output error" in done.stderr) == (code, code == 1), done
        with closing(Outbox(state)) as box:
            assert box.count("waiting") == left
        out.unlink(missing_ok=True)


@pytest.mark.needs("strace")
def test_an_export_whose_events_were_let_go_of_stays_though_it_is_interrupted(world: World) -> None:
    """A ^C while SQLite commits is heard of after the commit."""
    state = StateDir(str(world.path / "state"))
    env = world.real_environ(ROLLCALL_USAGE_TELEMETRY="true")
    assert run_verb("track", "Filled", env=env, cwd=world.cwd).returncode == 0
    out = world.cwd / "out.jsonl"
    interrupted = (
        *strace(state.outbox),
        "-e",
        "trace=fsync,fdatasync",
        "-e",
        "inject=fsync,fdatasync:signal=INT",
    )
    done = run_verb("export", str(out), "--settle", env=env, cwd=world.cwd, prefix=interrupted)
    assert done.returncode == 130, done
    with closing(Outbox(state)) as box:
        assert (box.count("waiting"), box.count("exported")) == (0, 1)
    assert b"Filled" in out.read_bytes()
