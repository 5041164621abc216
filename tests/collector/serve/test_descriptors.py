"""Open files that connections may use."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.collector.attacks import attack
from tests.collector.fleet import is_served
from tests.collector.running import Collector

ALLOW = """
import resource, sys
from collector.serve.descriptors import allow
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
print(*allow(1000), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        ((1024, 8192), (1000, 4096, 5196, 8192)),
        ((4096, 4096), (1000, 2996, 4096, 4096)),
        ((256, 1024), (668, 256, 1024, 1024)),
        ((64, 64), (1, 16, 64, 64)),
    ],
)
def test_the_limit_is_raised_or_kept_to(limits: tuple[int, int], allowed: tuple[int, ...]) -> None:
    command = [sys.executable, "-c", ALLOW, *map(str, limits)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert tuple(map(int, done.stdout.split())) == allowed


def test_a_process_with_few_descriptors_is_not_stopped_by_connections(
    start: Callable[..., Collector], tmp_path: Path
) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
    try:
        collector = start(f"sqlite:///{tmp_path}/d.db")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    with attack(collector.port, collector.key, "idle connections"):
        assert is_served(collector.port, collector.key)
