"""When a heartbeat is due: rules one by one."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from agent.base.clock import Now
from agent.heartbeat.due import (
    Due,
    Pace,
    first_due,
    next_due,
    read_due,
    resumed_due,
    spread_due,
    wall_time,
    write_due,
)

HOUR = 3600.0
PACE = Pace(6 * HOUR, 120.0, 300.0)
START = Now(1000.0, 1_800_000_000.0, "boot-1")
uniform = random.Random(7).uniform


def later(now: Now, seconds: float) -> Now:
    return Now(now.boot + seconds, now.wall + seconds, now.boot_id)


def rebooted(now: Now, off: float, wall: float | None = None) -> Now:
    """Off for so long, then up for 20 seconds; the wall clock right, or as given."""
    return Now(20.0, now.wall + off + 20 if wall is None else wall, "boot-2")


def test_the_first_beat_comes_after_the_first_delay_without_jitter() -> None:
    due = first_due(START, PACE)
    assert due.due == due.base == START.boot + 120


def test_jitter_is_added_to_the_base_and_never_adds_up() -> None:
    due = first_due(START, PACE)
    for beat in range(1, 100):
        due = next_due(due, later(START, due.due - START.boot + 1), PACE, uniform)
        assert due.base == START.boot + 120 + beat * 6 * HOUR
        assert 0 <= due.due - due.base <= 300


def test_every_slot_has_a_number_of_its_own_even_under_a_clock_that_went_back() -> None:
    due = first_due(START, PACE)
    slots = [due.slot]
    for years in (0, -10, 10, -20):
        now = Now(due.due, START.wall + years * 365 * 86400, "boot-1")
        due = next_due(due, now, PACE, uniform)
        slots.append(due.slot)
    assert slots == sorted(set(slots))


def test_a_restart_on_the_same_boot_changes_nothing_whatever_the_clock_says() -> None:
    due = next_due(first_due(START, PACE), later(START, 120), PACE, uniform)
    for wall in (0.0, START.wall, START.wall * 2):
        assert resumed_due(due, Now(5000.0, wall, "boot-1"), PACE, uniform) == due


def test_a_reboot_is_bridged_by_the_wall_clock() -> None:
    due = next_due(first_due(START, PACE), later(START, 120), PACE, uniform)
    now = rebooted(later(START, 3600), off=600)
    moved = resumed_due(due, now, PACE, uniform)
    assert moved.slot == due.slot
    assert now.wall + moved.due - now.boot == pytest.approx(START.wall + due.due - START.boot)


def test_a_clock_set_back_over_a_reboot_brings_one_early_beat() -> None:
    due = next_due(first_due(START, PACE), later(START, 120), PACE, uniform)
    moved = resumed_due(due, rebooted(START, 0, wall=0.0), PACE, uniform)
    assert moved.due == 20.0 + 120.0
    again = next_due(moved, Now(moved.due, 120.0, "boot-2"), PACE, uniform)
    assert again.base == moved.due + 6 * HOUR


def test_an_unknown_boot_is_never_taken_for_the_same() -> None:
    due = next_due(first_due(START, PACE), later(START, 120), PACE, uniform)
    unnamed = due._replace(at=due.at._replace(boot_id=""))
    moved = resumed_due(unnamed, Now(20.0, due.at.wall + HOUR, ""), PACE, uniform)
    assert moved.due - 20.0 == pytest.approx(due.due - due.at.boot - HOUR)


def test_a_beat_a_little_late_is_sent_at_once() -> None:
    due = first_due(START, PACE)
    assert spread_due(due, START.boot, later(START, 120 + 59), PACE, uniform) == due


def test_a_beat_missed_over_a_long_outage_is_put_off_within_the_interval() -> None:
    due = next_due(first_due(START, PACE), later(START, 120), PACE, uniform)
    now = rebooted(START, off=12 * HOUR)
    delays = [resumed_due(due, now, PACE, uniform).due - now.boot for _ in range(1000)]
    assert 0 <= min(delays) < 0.05 * PACE.interval
    assert 0.95 * PACE.interval < max(delays) <= PACE.interval


def test_a_beat_is_never_put_off_longer_than_it_had_to_wait_when_last_seen() -> None:
    due = next_due(first_due(START, PACE), later(START, 120), PACE, uniform)
    seen = later(START, due.due - START.boot - 60)
    now = rebooted(seen, off=12 * HOUR)
    for _ in range(100):
        assert resumed_due(due._replace(at=seen), now, PACE, uniform).due - now.boot <= 60


def test_a_shorter_interval_takes_effect_at_once() -> None:
    due = next_due(first_due(START, PACE), later(START, 120), PACE, uniform)
    short = Pace(60.0, 1.0, 0.0)
    now = later(START, 130)
    assert resumed_due(due, now, short, uniform).due == now.boot + 60


def test_people_are_told_the_wall_clock_time() -> None:
    due = first_due(START, PACE)
    assert wall_time(due, later(START, 60)) == START.wall + 120
    assert wall_time(due, Now(5.0, 0.0, "boot-2")) == START.wall + 120


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    place = str(tmp_path / "due.json")
    write_due(place, first_due(START, PACE))
    assert read_due(place) == first_due(START, PACE)
    assert (tmp_path / "due.json").stat().st_mode & 0o777 == 0o600


WRONG: list[Any] = [
    *({"due": wrong} for wrong in ("soon", float("nan"), None)),
    *({"slot": wrong} for wrong in (1.5, -1, 10**30, "1", None, True)),
    {"wall": 10**400},
    {"bootId": None},
]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "1", '"due"', "[" * 4000, '{"slot": 1}', *WRONG])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, text: str | dict[str, object]) -> None:
    path = tmp_path / "due.json"
    write_due(str(path), first_due(START, PACE))
    path.write_text(json.dumps({**json.loads(path.read_text()), **text}) if isinstance(text, dict) else text)
    assert read_due(str(path)) is None


def test_the_file_has_the_form_that_older_versions_read(tmp_path: Path) -> None:
    path = tmp_path / "due.json"
    write_due(str(path), Due(7, 2.0, 3.0, Now(1.0, 1.5, "b")))
    form = {"slot": 7, "base": 2.0, "due": 3.0, "boot": 1.0, "wall": 1.5, "bootId": "b"}
    assert json.loads(path.read_text()) == form
