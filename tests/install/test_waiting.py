"""With an archive, COMMAND starts as soon as with a network, whatever has become of the network."""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deadends import BlackHole
from tests.install.scripts import AS_NOBODY, environment, home_of_nobody, run
from tests.leftovers import remove
from tests.receiver import Receiver
from tests.wait import until

ROUNDS = 5
MORE_ROUNDS = 25
AT_MOST = 1.5  # times as long; one packet that is waited for would be a second, and twice as long
pytestmark = [pytest.mark.serial, pytest.mark.needs("user")]


@pytest.fixture
def home() -> Iterator[Path]:
    place = home_of_nobody()
    yield place
    remove(place)


def start_of_command(bundle: Path, home: Path, endpoint: str, index: str) -> float:
    """Seconds from the start of install.sh to that of COMMAND."""
    environ = environment(home, PIP_INDEX_URL=index)
    before = time.time()
    words = ["--user", "--endpoint", endpoint, "--", "date", "+%s.%N"]
    done = run(*AS_NOBODY, f"{bundle}/install/install.sh", *words, environ=environ)
    assert done.returncode == 0, done.stderr
    return float(done.stdout) - before


@pytest.mark.timeout(600)
def test_behind_a_black_hole_the_command_starts_as_soon(bundle: Path, home: Path, slow: bool) -> None:
    with Receiver() as healthy, BlackHole() as hole:
        ends = {healthy.endpoint: healthy.endpoint, hole.endpoint: hole.endpoint}
        for endpoint in ends:
            start_of_command(bundle, home, endpoint, endpoint)  # the first makes the environment
        took: dict[str, list[float]] = {endpoint: [] for endpoint in ends}
        for _ in range(MORE_ROUNDS if slow else ROUNDS):
            for endpoint in ends:
                took[endpoint].append(start_of_command(bundle, home, endpoint, endpoint))
        until(lambda: healthy.requests, why="there is somebody at the other end")
    with_network, without = (statistics.median(took[endpoint]) for endpoint in ends)
    print(f"COMMAND started after {with_network:.2f} s, behind a black hole {without:.2f} s")
    assert without / with_network < AT_MOST, took
