"""The archive, made once; unpacked copies are removed at the end."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install import archive
from tests.leftovers import end_senders


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
    shutil.rmtree(place.parent)
