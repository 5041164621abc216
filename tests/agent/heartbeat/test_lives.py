"""Years of heartbeats in seconds: broken clocks, and fleets."""

import collections

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.heartbeat.due import PROMPT
from tests.agent.heartbeat.lives import FIRST_DELAY, HOUR, INTERVAL, JITTER, LONGEST_SILENCE, Life, pauses

DAY = 24 * HOUR
YEARS = 10 * 365 * DAY
FLEET, FLEET_SLOW = 5_000, 10_000

spans = st.floats(0, 9 * HOUR)
jumps = st.one_of(st.floats(-7 * HOUR, 7 * HOUR), st.sampled_from([-YEARS, YEARS, -HOUR, HOUR]))
troubles = st.one_of(
    st.tuples(st.just("jump"), jumps),
    st.tuples(st.just("freeze"), spans),
    st.tuples(st.just("kill"), st.floats(0, HOUR)),
    st.tuples(st.just("stop"), spans),
    st.tuples(st.just("reboot"), spans),
    st.tuples(st.just("power cut"), spans),
    st.tuples(st.just("reboot, clock lies"), jumps),
)


def suffer(life: Life, kind: str, amount: float) -> None:
    if kind in {"jump", "freeze", "kill", "stop"}:
        getattr(life, kind)(amount)
    elif kind == "reboot, clock lies":
        life.reboot(30, orderly=True, lie=amount)
    else:
        life.reboot(amount, orderly=kind == "reboot")


@pytest.mark.once
@settings(max_examples=300)
@given(st.lists(st.tuples(spans, troubles), max_size=25), st.integers(0, 2**32))
def test_no_fault_of_a_clock_makes_silence_or_a_storm(
    events: list[tuple[float, tuple[str, float]]], seed: int
) -> None:
    life = Life(seed=seed)
    clock_troubles = 0
    for span, (kind, amount) in events:
        if life.true >= 5 * DAY:
            break
        life.run(span)
        suffer(life, kind, amount)
        clock_troubles += kind in {"jump", "reboot, clock lies"}
    life.run(max(0.0, 5 * DAY - life.true))
    assert max(life.gaps()) <= LONGEST_SILENCE
    early = [pause < INTERVAL - JITTER - PROMPT for pause in pauses(life.true_beats)]
    assert sum(early) <= clock_troubles


def test_a_quiet_life_beats_on_the_grid_and_nothing_else() -> None:
    life = Life()
    life.run(5 * DAY)
    bases = [FIRST_DELAY + beat * INTERVAL for beat in range(len(life.beats))]
    assert len(life.beats) == 20
    assert all(0 <= beat - base <= JITTER for beat, base in zip(life.beats, bases))


def test_restarts_reboots_and_jumps_of_the_clock_neither_add_nor_skip_a_beat() -> None:
    life, quiet = Life(seed=3), Life(seed=3)
    for _ in range(60):
        life.run(HOUR)
        life.jump(-YEARS)
        life.run(HOUR / 2)
        life.jump(YEARS)
        life.kill(30)
        life.run(HOUR / 2)
        life.reboot(60, orderly=True)
    quiet.run(life.true)
    assert len(life.beats) == len(quiet.beats)
    drift = [abs(a - b) for a, b in zip(life.true_beats, quiet.true_beats)]
    assert max(drift) <= JITTER + 300


def test_each_early_beat_has_a_clock_that_lied_over_a_reboot() -> None:
    life = Life()
    life.run(7 * HOUR)
    assert len(life.beats) == 2
    life.reboot(30, orderly=False, lie=-YEARS)
    life.run(HOUR)
    assert len(life.beats) == 3
    life.run(5 * DAY)
    later = pauses(life.beats[2:])
    assert min(later) >= INTERVAL - JITTER


def busiest_and_mean(lives: list[Life], since: float) -> tuple[int, float]:
    beats = [t for life in lives for t in life.true_beats if since <= t < since + DAY]
    minutes = collections.Counter(int((t - since) // 60) for t in beats)
    return max(minutes.values()), len(beats) / (DAY / 60)


def fleet(seed: int, *, slow: bool) -> list[Life]:
    """Instances whose slots lie all over the six hours, after a first beat each."""
    size = FLEET_SLOW if slow else FLEET
    lives = [Life(seed=seed + number, longest_sleep=INTERVAL) for number in range(size)]
    for number, life in enumerate(lives):
        life.true = -number / size * INTERVAL - 2 * FIRST_DELAY
        life.run(-life.true)
    return lives


@pytest.mark.once
def test_a_fleet_restarted_in_one_minute_stays_spread(*, slow: bool) -> None:
    lives = fleet(1, slow=slow)
    for life in lives:
        life.stop(30)
        life.run(DAY)
    busiest, mean = busiest_and_mean(lives, 0)
    print(f"busiest minute {busiest}, mean {mean:.1f}")
    assert busiest <= 3 * mean


@pytest.mark.once
def test_a_fleet_back_after_twelve_hours_does_not_come_as_one(*, slow: bool) -> None:
    for orderly in (True, False):
        lives = fleet(2, slow=slow)
        for life in lives:
            life.reboot(12 * HOUR, orderly=orderly)
            life.run(DAY)
        busiest, mean = busiest_and_mean(lives, 12 * HOUR)
        print(f"busiest minute {busiest}, mean {mean:.1f}, orderly {orderly}")
        assert busiest <= 3 * mean
