"""Meters of several workers."""

from __future__ import annotations

import os
from pathlib import Path

from collector.base.shared import SharedSums
from collector.ingest.member import Member
from collector.ingest.metrics import Metrics, forget_state
from collector.ingest.writer import Tally


def worker(folder: Path, number: int, *, waiting: int, away: bool, stored: int) -> list[str]:
    """What a worker in a process of its own exposes; then it ends, and says no goodbye."""
    out = folder.parent / "exposed"
    child = os.fork()
    if child == 0:
        metrics = Metrics(Member(number, str(folder), SharedSums(1)))
        metrics.watch(Tally(stored=stored), lambda: waiting, lambda: away, lambda: False)
        out.write_bytes(metrics.exposition())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    return [line for line in out.read_text().splitlines() if not line.startswith("#")]


def test_counts_of_a_dead_worker_stay_and_its_state_goes(tmp_path: Path) -> None:
    folder = tmp_path / "meters"
    folder.mkdir()
    worker(folder, 0, waiting=5, away=True, stored=3)
    both = worker(folder, 1, waiting=2, away=False, stored=4)
    assert "rollcall_waiting_bytes 7.0" in both
    assert "rollcall_store_up 0.0" in both
    assert "rollcall_events_stored 7.0" in both
    forget_state(str(folder), 0)
    again = worker(folder, 0, waiting=1, away=False, stored=10)
    assert "rollcall_waiting_bytes 3.0" in again
    assert "rollcall_store_up 1.0" in again
    assert "rollcall_events_stored 17.0" in again
    forget_state(str(folder), 1)
    assert "rollcall_waiting_bytes 1.0" in worker(folder, 0, waiting=1, away=False, stored=0)
