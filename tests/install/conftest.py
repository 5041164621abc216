"""The archive, made once; unpacked copies are removed at the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.machine import Machine, booted
from tests.install import archive
from tests.install.server import PLACE
from tests.leftovers import end_senders, remove


@pytest.fixture(autouse=True)
def _no_sender_is_left(tmp_path: Path) -> Iterator[None]:
    yield
    end_senders(tmp_path)


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive that install/bundle made for this machine."""
    return archive.built(tmp_path_factory)


@pytest.fixture(scope="session")
def bundle(packed: Path) -> Iterator[Path]:
    """The archive, unpacked; nobody is to change it."""
    place = archive.unpacked(packed)
    yield place
    remove(place.parent)


@pytest.fixture(scope="module")
def booted_once() -> Iterator[Machine]:
    with booted() as found:
        yield found


@pytest.fixture
def machine(booted_once: Machine) -> Iterator[Machine]:
    """The machine with nothing of ours on it, before and after."""
    yield booted_once
    if booted_once.path(PLACE).exists():
        for name in [path.name for path in booted_once.path("/etc").glob("rollcall*")] or ["rollcall"]:
            uninstall = f"{PLACE}/install/uninstall.sh"
            booted_once.run(uninstall, "--yes", "--purge", "--product", name)
