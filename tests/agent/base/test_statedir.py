import os
import stat
from pathlib import Path

from agent.base.statedir import StateDir


def test_naming_a_path_makes_nothing(tmp_path: Path) -> None:
    found = StateDir(str(tmp_path / "state"))
    places = [
        found.id,
        found.outbox,
        found.runs,
        found.seen,
        found.due,
        found.lock,
        found.sender,
        found.daemon,
    ]
    assert all(os.path.dirname(place) == found.path for place in places)
    assert len(set(places)) == len(places)
    assert not found.exists()
    assert found.run_files() == []
    assert repr(found) == f"StateDir({found.path!r})"
    assert list(tmp_path.iterdir()) == []


def test_the_directory_is_its_owners_alone(tmp_path: Path) -> None:
    found = StateDir(str(tmp_path / "a" / "state"))
    found.make()
    found.make()
    assert found.exists()
    assert stat.S_IMODE(os.stat(found.path).st_mode) == 0o700


def test_memory_is_all_but_the_locks(tmp_path: Path) -> None:
    found = StateDir(str(tmp_path))
    os.mkdir(found.runs)
    os.mkdir(found.bundles)
    left = [
        os.path.join(found.runs, "1.run"),
        os.path.join(found.bundles, "1.jwe"),
        f"{found.id}.7.new",
        f"{found.outbox}.newer-journal",
        found.seen,
    ]
    for path in [*left, found.lock, found.sender, found.daemon]:
        Path(path).touch()
    there = {path for path in found.memory() if os.path.exists(path)}
    assert there == set(left)
