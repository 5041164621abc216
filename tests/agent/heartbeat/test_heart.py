"""The heart's jobs, in a simulated world."""

from pathlib import Path

import pytest

from agent.base.files import file_stamp
from agent.heartbeat.heart import BEAT_RETRY, FLUSH, LONGEST_SLEEP
from tests.agent.heartbeat.lives import FIRST_DELAY, HOUR, INTERVAL, Life, answered


def test_what_waits_is_tried_again_when_the_outbox_says_so() -> None:
    life = Life(answer=answered(waiting=3, retry_in=100.0))
    life.run(90)
    assert [verb[0] for verb in life.asked] == ["flush"]
    life.run(20)
    assert life.asked[-1] == ("flush", "--report")


def test_no_answer_makes_a_busy_loop() -> None:
    life = Life(answer=answered(waiting=3, retry_in=0.0))
    life.run(100)
    assert len(life.asked) <= 25


def test_without_an_endpoint_nothing_is_tried() -> None:
    life = Life(answer=answered(waiting=3, retry_in=None))
    life.run(24 * HOUR)
    assert ("flush", "--report") not in life.asked
    assert len(life.beats) == 24 * HOUR / INTERVAL


def test_a_first_look_that_fails_is_tried_again() -> None:
    life = Life(broken=True)
    life.run(LONGEST_SLEEP - 10)
    assert len(life.asked) == 1
    assert life.heart is not None
    assert life.heart.status() == "starting; the last try failed, see the log"
    life.broken = False
    life.run(20 + FIRST_DELAY)
    assert len(life.beats) == 1


def test_a_status_says_that_the_last_try_failed_until_one_does_not() -> None:
    life = Life()
    life.run(HOUR)
    assert life.heart is not None
    life.broken = True
    life.heart.reload()
    life.run(1)
    assert life.heart.status().startswith("sending: ")
    assert life.heart.status().endswith("; the last try failed, see the log")
    life.broken = False
    life.run(LONGEST_SLEEP)
    assert "failed" not in life.heart.status()


def test_a_product_that_comes_back_beats_within_the_quarter_hour() -> None:
    life = Life(answer=answered(alive=False))
    life.run(2 * HOUR)
    assert life.beats == []
    assert life.heart is not None
    assert life.heart.status().endswith("product not alive")
    life.answer = answered()
    life.run(BEAT_RETRY)
    assert len(life.beats) == 1
    assert life.logged == [
        "sending",
        "the product is not alive; no heartbeat is sent until it is",
        "the product is alive again",
    ]


def test_a_product_that_is_down_for_a_day_does_not_owe_its_beats() -> None:
    life = Life(answer=answered(alive=False))
    life.run(24 * HOUR)
    life.answer = answered()
    life.run(BEAT_RETRY)
    assert len(life.beats) == 1
    life.run(INTERVAL + BEAT_RETRY)
    assert len(life.beats) == 2


def test_silence_forgets_the_plan_and_its_end_takes_up_the_one_on_disk() -> None:
    life = Life()
    life.run(HOUR)
    kept = life.disk
    life.answer = answered(sending=False, rule="flag", source="DO_NOT_TRACK")
    assert life.heart is not None
    life.heart.reload()
    life.run(HOUR)
    assert life.heart.status() == "silent: a flag is set (DO_NOT_TRACK)"
    assert life.disk == kept
    life.answer = answered()
    life.heart.reload()
    life.run(6 * HOUR)
    assert len(life.beats) == 2
    assert life.logged == ["sending", "silent: a flag is set (DO_NOT_TRACK)", "sending"]


def test_a_docker_env_that_goes_before_the_first_beat_silences_that_beat_too(tmp_path: Path) -> None:
    env = tmp_path / "docker.env"
    env.write_text("")
    there = file_stamp(str(env))
    life = Life(answer=answered(files=[there], waiting=3, retry_in=FIRST_DELAY))
    life.run(FIRST_DELAY / 2)
    env.rename(tmp_path / "aside")
    life.answer = answered(files=[file_stamp(str(env))])
    life.freeze(FIRST_DELAY / 2 + 1)  # it wakes when the beat is due, and not before
    life.run(HOUR)
    assert (life.beats, FLUSH in life.asked) == ([], False)
    assert life.logged[-1] == f"silent: {env} was read before and is missing"
    (tmp_path / "aside").rename(env)
    life.answer = answered(files=[there])
    life.run(INTERVAL)
    assert len(life.beats) == 1


def test_what_silence_could_not_erase_is_tried_again_and_nothing_else() -> None:
    life = Life(answer=answered(sending=False, rule="flag", retry_in=BEAT_RETRY))
    life.run(BEAT_RETRY + 1)
    assert life.asked[1:] == [FLUSH]
    assert life.heart is not None
    assert life.heart.status() == "silent: a flag is set"
    life.answer = answered(sending=False, rule="flag")
    life.run(BEAT_RETRY)
    count = len(life.asked)
    life.run(24 * HOUR)
    assert len(life.asked) == count


def test_a_state_directory_without_locks_is_said_once_and_ends_nothing() -> None:
    class Lockless(Life):
        def claim(self, state_dir: str) -> None:
            raise OSError(37, "No locks available")

    life = Lockless()
    life.run(24 * HOUR)
    assert len(life.beats) == 4
    assert sum("cannot use the state directory" in line for line in life.logged) == 1


def test_a_disk_that_keeps_nothing_is_said_once_and_ends_nothing() -> None:
    class Full(Life):
        def keep_due(self, due: object) -> None:
            raise OSError(28, "No space left on device")

    life = Full()
    life.run(24 * HOUR)
    assert len(life.beats) == 4
    assert sum("cannot store" in line for line in life.logged) == 1


def test_a_job_that_raises_starves_nobody() -> None:
    class Torn(Life):
        def ask_child(self, *verb: str) -> None:
            super().ask_child(*verb)
            raise RuntimeError("torn")

    life = Torn()
    life.run(HOUR)
    assert 4 <= len(life.asked) <= 5
    assert life.logged == ["check failed: RuntimeError('torn')"]


def test_the_status_tells_last_and_next_beat() -> None:
    life = Life(answer=answered(last_beat="2026-11-20T18:02:03.000Z", waiting=2))
    life.run(1)
    assert life.heart is not None
    status = life.heart.status()
    assert status.startswith("sending: last beat 2026-11-20 18:02 UTC, next 2027-01-15 08:02 UTC, 2 waiting")


@pytest.mark.parametrize("interval", [60.0, 7200.0])
def test_a_new_interval_is_kept_from_then_on(interval: float) -> None:
    life = Life()
    life.run(10 * 60)
    life.answer = answered(interval=interval, jitter=0.0)
    assert life.heart is not None
    life.heart.reload()
    life.run(interval + 1)
    before = len(life.beats)
    life.run(10 * interval)
    assert len(life.beats) - before == 10


def test_a_flush_that_fails_is_tried_again_later() -> None:
    life = Life(answer=answered(waiting=3, retry_in=60.0))
    life.run(50)
    life.broken = True
    life.run(30)
    assert life.asked[-1] == ("flush", "--report")
    life.broken = False
    life.run(BEAT_RETRY + 1)
    assert life.asked.count(("flush", "--report")) >= 2


def test_a_stop_while_silent_writes_nothing() -> None:
    life = Life(answer=answered(sending=False, rule="flag"))
    life.run(HOUR)
    life.stop(1)
    assert life.disk is None


def test_a_freeze_past_the_due_time_puts_the_beat_off() -> None:
    life = Life()
    life.run(HOUR)
    life.freeze(9 * HOUR)
    life.run(1)
    assert len(life.beats) == 1
    life.run(INTERVAL)
    assert len(life.beats) == 2


def test_a_clock_that_moved_is_noted_beside_the_due_time() -> None:
    life = Life()
    life.run(HOUR)
    life.jump(5 * HOUR)
    life.run(LONGEST_SLEEP)
    assert life.disk is not None
    assert life.disk.at.wall > life.wall_ahead
