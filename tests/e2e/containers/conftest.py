from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.containers.host import Host, ready_host
from tests.install import archive


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The machine is shared: a test takes away the containers that it made."""
    packed: Path = archive.built(tmp_path_factory)
    with ready_host(packed, tmp_path_factory.mktemp("collector")) as one:
        yield one
