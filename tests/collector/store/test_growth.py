"""As events grow, taking them stays as fast."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.collector import growth


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.timeout(7200)
def test_ten_million_events_do_not_slow_the_ingest_of_time_ordered_ids(tmp_path: Path) -> None:
    assert growth(10_000_000, tmp_path) >= 0.8
