import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.wrap.desk import Desk
from tests.e2e.wrap.side_by_side import Sides
from tests.leftovers import end_senders


@pytest.fixture(autouse=True)
def _no_sender_is_left(tmp_path: Path) -> Iterator[None]:
    yield
    end_senders(tmp_path)


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def covered(tmp_path: Path) -> Sides:
    """For what does not look at its environment."""
    return Sides(tmp_path, covered=True)


@pytest.fixture
def in_the_open(open_folder: Path) -> Sides:
    """As `covered`, in a folder that other users may enter."""
    return Sides(open_folder, covered=True)


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    """The command as install.sh puts it in place, for the Python that runs the tests."""
    template = Path(__file__).parents[3] / "install" / "launcher.sh"
    text = template.read_text().replace("@NAME@", "rollcall").replace("@PYTHON@", sys.executable)
    made = tmp_path / "rollcall"
    made.write_text(text.replace("#!/bin/sh", "#!/bin/bash -p", 1))
    made.chmod(0o755)
    return made
