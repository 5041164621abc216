"""What an export promises: where all goes well, and where the disk, a signal or a file is in its way."""

import gzip
import json
import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from agent.base.statedir import StateDir
from agent.outbox.outbox import Outbox
from agent.verbs import export
from tests.agent.verbs.place import NOW, Place
from tests.agent.world import World
from tests.instance import Instance, event
from tests.verbs import run_verb
from tests.wait import PATIENCE


def recorded(place: Place, count: int) -> list[dict[str, object]]:
    made = [event(number, NOW) for number in range(count)]
    with closing(Outbox(place.state, now=lambda: NOW)) as outbox:
        outbox._database._db.execute("PRAGMA synchronous = OFF")
        for one in made:
            outbox.record(one, "https://collector.example")
    return made


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_an_export_is_what_waits_a_line_each(name: str, place: Place, tmp_path: Path) -> None:
    made = recorded(place, export.PAGE + 1)
    path = tmp_path / name

    code, out, err = place.run("export", str(path))

    assert (code, out) == (0, "")
    assert err == f"rollcall: {len(made)} events were written to {path}\n"
    text = (gzip.decompress if name.endswith("gz") else bytes)(path.read_bytes())
    assert [json.loads(line) for line in text.splitlines()] == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert set(place.states()) == {"waiting"}


def test_an_export_may_let_go_of_what_it_wrote(place: Place, tmp_path: Path) -> None:
    recorded(place, 3)

    code, _, err = place.run("export", str(tmp_path / "out"), "--settle")
    again = place.run("export", str(tmp_path / "again"), "--settle")

    assert code == 0
    assert "3 events were written" in err
    assert "marked as exported" in err
    assert set(place.states()) == {"exported"}
    assert (again[0], (tmp_path / "again").read_bytes()) == (0, b"")


def test_an_export_of_nothing_is_an_empty_file(place: Place, tmp_path: Path) -> None:
    assert place.run("export", str(tmp_path / "out"))[0] == 0
    assert (tmp_path / "out").read_bytes() == b""
    assert not os.path.exists(place.state.path)


def test_an_export_replaces_no_file(place: Place, tmp_path: Path) -> None:
    recorded(place, 1)
    (tmp_path / "out").write_text("precious")

    code, _, err = place.run("export", str(tmp_path / "out"), "--settle")

    assert (code, (tmp_path / "out").read_text()) == (1, "precious")
    assert "choose another name" in err
    assert place.states() == ["waiting"]


def test_the_name_of_an_export_is_on_disk_before_its_events_are_let_go(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(place, 1)
    synced: list[str] = []
    fsync = os.fsync

    def note(handle: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.chdir(tmp_path)
    assert place.run("export", "out", "--settle")[0] == 0
    assert synced[:2] == [str(tmp_path), str(tmp_path / "out")]


def test_an_export_to_stdout_can_be_imported(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    made = instance.record(2)

    done = instance.run("export", "-", "--settle")

    assert [json.loads(line)["messageId"] for line in done.out.splitlines()] == made
    assert instance.waiting() == []


def test_an_export_that_cannot_be_written_lets_go_of_nothing(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    made = instance.record(2)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            instance.command("export", "-", "--settle"),
            env=instance.surroundings(),
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )

    assert done.returncode != 0
    assert b"No space left" in done.stderr
    assert instance.waiting() == made


def test_an_export_that_was_cut_short_is_removed(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(place, 1)

    def fail(*_: object) -> list[int]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "_write", fail)
    code, _, _ = place.run("export", str(tmp_path / "out"), "--settle")

    assert (code, (tmp_path / "out").exists()) == (1, False)
    assert place.states() == ["waiting"]


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
