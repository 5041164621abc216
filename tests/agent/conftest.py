from pathlib import Path

import pytest

from tests.agent.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


@pytest.fixture
def open_world(open_folder: Path) -> World:
    """One that other users may look into."""
    return World(open_folder / "world")
