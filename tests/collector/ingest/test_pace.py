"""A store that wants few writes gets few; who sends little waits for nobody."""

from __future__ import annotations

from collector.ingest.pace import BURST, Pace


def test_writes_come_at_once_after_a_quiet_time_and_then_in_their_pace() -> None:
    now = [1000.0]
    pace = Pace(1, lambda: now[0])
    for _ in range(3):
        burst = 0
        while not pace.left():
            pace.note_write()
            burst += 1
        assert burst == BURST
        for _ in range(20):
            now[0] += pace.left()
            assert pace.left() == 0
            pace.note_write()
            assert 0 < pace.left() <= 1
        now[0] += BURST


def test_after_many_full_groups_the_next_write_waits_for_one_pause_and_no_longer() -> None:
    now = [1000.0]
    pace = Pace(1, lambda: now[0])
    for _ in range(500):  # full groups do not wait
        pace.note_write()
        now[0] += 0.01
    assert 0 < pace.left() <= 1
    now[0] += pace.left()
    pace.note_write()
    assert pace.left() == 1


def test_a_store_that_has_no_pace_waits_for_nothing() -> None:
    pace = Pace(0, lambda: 1000.0)
    for _ in range(100):
        pace.note_write()
        assert pace.left() == 0
