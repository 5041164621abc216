from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from agent.updates.phase import (
    DAY,
    LEAST_GAP,
    MISSED,
    Phase,
    current_phase,
    phase_asked,
    read_phase,
    seconds_until,
    write_phase,
)

NOW = 1_800_000_000.0
FLEET = 100_000
MINUTES = DAY / 60


def asks_of(began: float, outage: tuple[float, float], until: float, chance: random.Random) -> list[float]:
    """When an instance asks that begins at a time, and is off in an outage."""
    phase, now, asks = current_phase(None, began, chance.uniform), began, []
    while (due := now + seconds_until(phase, now)) < until:
        if outage[0] <= due < outage[1]:
            now = outage[1]
            phase = current_phase(phase, now, chance.uniform)
        else:
            asks.append(due)
            now, phase = due, phase_asked(phase, due)
    return asks


@pytest.mark.once
@pytest.mark.parametrize("hours", [24, 24 * 7])
def test_a_fleet_asks_as_evenly_after_an_outage_as_before(hours: int) -> None:
    """All were installed at the same moment, and all are back at the same moment."""
    chance = random.Random(hours)
    off = NOW + DAY
    back = off + hours * 3600
    until = back + 2 * DAY
    minutes = {name: Counter[int]() for name in ("before", "first day", "second day")}
    for _ in range(FLEET):
        for at in asks_of(NOW, (off, back), until, chance):
            if off - DAY <= at < off:
                minutes["before"][int((at - off) // 60)] += 1
            elif at >= back:
                minutes["first day" if at < back + DAY else "second day"][int((at - back) // 60)] += 1
    for name, counts in minutes.items():
        assert sum(counts.values()) == FLEET, name
        assert max(counts.values()) <= 2 * FLEET / MINUTES, name


def test_a_machine_that_is_off_at_its_time_finds_another() -> None:
    chance, found = random.Random(1), []
    for _ in range(200):
        phase, asks = current_phase(None, NOW, chance.uniform), []
        for day in range(40):  # on for eight hours a day
            start = now = NOW + day * DAY + chance.uniform(0, 1800)
            phase = current_phase(phase, now, chance.uniform)
            while (due := now + seconds_until(phase, now)) < start + DAY / 3:
                asks.append(due)
                now, phase = due, phase_asked(phase, due)
        found.append(len(asks))
    assert min(found) >= 10
    assert sum(found) / len(found) > 30


@pytest.mark.parametrize("moved", [-1.0, 1.0, -LEAST_GAP + 1, 3600.0])
def test_a_clock_that_is_corrected_makes_nobody_ask_twice_on_a_day(moved: float) -> None:
    phase = Phase(100.0, NOW - DAY)
    due = NOW + seconds_until(phase, NOW)
    after = due + moved
    wait = seconds_until(current_phase(phase_asked(phase, due), after, random.uniform), after)
    assert wait + moved >= LEAST_GAP
    assert (due + moved + wait - due) % DAY == pytest.approx(0, abs=1e-3)


def test_a_clock_that_was_wrong_by_years_keeps_nobody_waiting() -> None:
    for not_before in (NOW + DAY + 1, NOW - MISSED - 1):
        drawn = current_phase(Phase(5.0, not_before), NOW, lambda _low, high: high / 3)
        assert drawn.time_of_day == DAY / 3
        assert current_phase(drawn, NOW, random.uniform) is drawn
        assert 0 <= seconds_until(drawn, NOW) <= DAY
    for not_before in (NOW + DAY, NOW - MISSED):
        kept = Phase(5.0, not_before)
        assert current_phase(kept, NOW, random.uniform) is kept


def test_it_is_kept_on_disk_and_nothing_odd_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "feed-due.json"
    assert read_phase(str(path)) is None
    write_phase(str(path), Phase(5.5, NOW))
    assert read_phase(str(path)) == Phase(5.5, NOW)
    for text in ("", "[]", "{}", '{"timeOfDay": "x", "notBefore": 1}', '{"timeOfDay": -1, "notBefore": 1}'):
        path.write_text(text)
        assert read_phase(str(path)) is None
    path.write_text(json.dumps({"timeOfDay": float("nan"), "notBefore": float("nan")}))
    assert read_phase(str(path)) is None
    path.write_text(json.dumps({"timeOfDay": 1, "notBefore": float("inf")}))
    found = current_phase(read_phase(str(path)), NOW, random.uniform)
    assert found.not_before < NOW
