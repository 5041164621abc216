import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agent.base.locks import PATIENT_AFTER, hold_lock, pause
from tests.wait import PATIENCE

HOLD = """
import sys, signal
from agent.base.locks import hold_lock
with hold_lock(sys.argv[1], 0) as alone:
    print(alone, flush=True)
    signal.pause()
"""


def test_a_lock_is_held_by_one_and_dies_with_its_holder(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with subprocess.Popen(
        [sys.executable, "-I", "-c", HOLD, path], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        started = time.monotonic()
        with hold_lock(path, 0.05) as alone:
            assert not alone
        assert 0.05 <= time.monotonic() - started < PATIENCE / 2
        other.send_signal(signal.SIGKILL)
        with hold_lock(path, PATIENCE) as alone:
            assert alone


def test_one_who_waits_gets_it_as_soon_as_it_is_free(tmp_path: Path) -> None:
    path, got = str(tmp_path / "lock"), threading.Event()

    def wait() -> None:
        with hold_lock(path, PATIENCE) as alone:
            if alone:
                got.set()

    with hold_lock(path, 0) as alone:
        assert alone
        other = threading.Thread(target=wait)
        other.start()
        assert not got.is_set()
    other.join(PATIENCE)
    assert got.is_set()


def test_a_symlink_planted_for_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"), hold_lock(str(tmp_path / "lock"), 0):
        raise AssertionError
    assert os.listdir(tmp_path) == ["lock"]


def test_who_waits_for_long_does_not_spin() -> None:
    """The flush of a second installation, while the first one's is behind a black hole."""
    before = time.monotonic()
    for _ in range(10):
        pause(before - PATIENT_AFTER - 1)
    assert time.monotonic() - before >= 0.3
