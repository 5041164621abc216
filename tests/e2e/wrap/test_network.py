"""The network makes no difference to how long an install takes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROUNDS = 7
A_WAIT_SECONDS = 2.0
"""A wait for the network takes longer in every round: a look-up 5 s, a connection more.

A busy machine slows only some rounds, so the fastest ones are compared."""


@pytest.mark.serial
@pytest.mark.needs("unshare", "nft")  # nft comes with ip
def test_a_dead_network_takes_as_long_as_a_healthy_one(tmp_path: Path) -> None:
    names = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
    done = subprocess.run(
        [*names, "--propagation", "private", sys.executable, "-m", "tests.e2e.wrap.waits", str(ROUNDS)],
        cwd=ROOT, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["asked"], "nobody looked the name up, so nothing was shown"
    fastest = {name: min(times) for name, times in told["taken"].items()}
    healthy = fastest.pop("healthy")
    waits = {name: round(seconds - healthy, 2) for name, seconds in fastest.items()}
    assert set(waits) == {"black hole", "refused", "no such name", "500"}
    assert all(wait < A_WAIT_SECONDS for wait in waits.values()), waits
