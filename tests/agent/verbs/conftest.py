"""What the tests of verbs share."""

from pathlib import Path

import pytest

from tests.agent.verbs.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
