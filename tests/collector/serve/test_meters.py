"""The folder of the workers' meters: whose it is, and when it goes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from collector.serve.meters import LOCK, NAME, meters_folder
from tests.parts import NOBODY


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left(place: Path, name: str) -> Path:
    """What a killed server leaves: nobody has its lock."""
    folder = place / f"{NAME}{name}"
    folder.mkdir()
    for file in (LOCK, "counter_0.db"):
        (folder / file).touch()
    return folder


def test_a_folder_goes_with_its_server_or_with_the_next_one(place: Path) -> None:
    left(place, "dead")
    with meters_folder() as first, meters_folder() as second:
        assert {str(path) for path in place.iterdir()} == {first, second}
    assert list(place.iterdir()) == []


def test_what_has_no_lock_or_another_name_stays(place: Path) -> None:
    (place / f"{NAME}young").mkdir()
    (place / "another" / LOCK).mkdir(parents=True)
    with meters_folder():
        pass
    assert {path.name for path in place.iterdir()} == {f"{NAME}young", "another"}


def test_a_symlink_leads_to_no_other_folder(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = left(tmp_path_factory.mktemp("elsewhere"), "theirs")
    (place / f"{NAME}link").symlink_to(elsewhere)
    with meters_folder():
        pass
    assert (elsewhere / "counter_0.db").exists()


@pytest.mark.needs("user")
def test_another_users_folder_is_left_alone(place: Path) -> None:
    theirs = left(place, "theirs")
    os.chown(theirs, NOBODY, NOBODY)
    with meters_folder():
        pass
    assert (theirs / LOCK).exists()
