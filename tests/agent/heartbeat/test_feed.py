"""The daemon's daily question for the release feed, in a simulated world."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from agent.heartbeat.answer import ChildAnswer
from agent.heartbeat.heart import CHECK, FEED, LONGEST_SLEEP
from agent.heartbeat.standing import status_text
from agent.heartbeat.systemd import NOTICE, WARNING
from agent.updates.phase import DAY, LEAST_GAP, Phase, current_phase, phase_asked, seconds_until
from tests.agent.heartbeat.lives import HOUR, Life, answered, pauses


@dataclass
class Asking(Life):
    """A life whose children know when the feed is due, as the real ones do."""

    phase: Phase | None = None
    asks: list[float] = field(default_factory=list)
    fails: bool = False
    priorities: list[tuple[int, str]] = field(default_factory=list)

    def ask_child(self, *verb: str) -> ChildAnswer | None:
        answer = super().ask_child(*verb)
        if not self.answer.sending:
            return answer
        now = self.clocks().wall
        self.phase = current_phase(self.phase, now, self.uniform)
        if verb == FEED:
            self.asks.append(self.true)
            self.phase = phase_asked(self.phase, now)
            if self.fails:
                return None
        return answer and answer._replace(feed_in=seconds_until(self.phase, now))

    def log(self, priority: int, message: str, **fields: object) -> None:
        super().log(priority, message, **fields)
        self.priorities.append((priority, message))


def test_the_feed_is_asked_for_once_a_day_at_its_own_time() -> None:
    life = Asking()
    life.run(10 * DAY)
    assert len(life.asks) == 10
    assert pauses(life.asks) == [pytest.approx(DAY, abs=1)] * 9
    other = Asking(seed=1)
    other.run(2 * DAY)
    assert abs(other.asks[0] - life.asks[0]) > 60


def test_a_failure_is_not_tried_again_on_the_same_day() -> None:
    life = Asking(fails=True)
    life.run(5 * DAY)
    assert pauses(life.asks) == [pytest.approx(DAY, abs=1)] * 4
    assert len(life.beats) == 20


def test_restarts_reboots_and_sleep_bring_no_question_of_their_own() -> None:
    life = Asking(seed=3)
    for hours in range(1, 12):
        life.run(hours * HOUR)
        life.kill(600)
        life.run(HOUR)
        life.stop(90)
        life.run(HOUR)
        life.freeze(5 * HOUR)
        life.run(HOUR)
        life.reboot(3 * HOUR, orderly=hours % 2 == 0)
    assert len(life.asks) > 2
    assert min(pauses(life.asks)) >= LEAST_GAP


def test_a_machine_that_wakes_after_its_time_waits_for_the_next() -> None:
    life = Asking()
    life.run(DAY)
    before = len(life.asks)
    asked = life.asks[-1]
    life.run(asked + DAY - life.true - HOUR)
    life.freeze(2 * HOUR)
    life.run(LONGEST_SLEEP)
    assert life.asked[-1] == CHECK
    assert len(life.asks) == before
    life.run(DAY)
    assert [at - asked for at in life.asks[before:]] == [pytest.approx(2 * DAY, abs=1)]


def test_a_question_that_becomes_due_while_another_child_runs_comes_next() -> None:
    life = Asking()
    life.run(DAY)
    asked = life.asks[-1]
    plain = life.ask_child

    def slow(*verb: str) -> ChildAnswer | None:
        """A child that runs past the time of day."""
        life.freeze(50)
        return plain(*verb)

    life.run(asked + DAY - life.true - 20)
    assert life.heart is not None
    life.heart.reload()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(life, "ask_child", slow)
        life.run(60)
    assert life.asked[-2:] == [CHECK, FEED]
    assert life.asks[-1] - asked == pytest.approx(DAY, abs=120)


def test_while_silent_or_switched_off_nothing_is_asked() -> None:
    life = Life(answer=answered(feed_in=None))
    life.run(3 * DAY)
    assert FEED not in life.asked
    asking = Asking()
    asking.run(DAY)
    asking.answer = answered(sending=False, rule="flag")
    assert asking.heart is not None
    asking.heart.reload()
    before = len(asking.asks)
    asking.run(3 * DAY)
    assert len(asking.asks) == before
    asking.answer = answered()
    asking.heart.reload()
    asking.run(DAY + 60)
    assert len(asking.asks) > before


def test_a_critical_advisory_is_said_once_and_stays_in_the_status() -> None:
    life = Asking(answer=answered(critical="critical advisory A-1 (fixed in 2.0)"))
    life.run(3 * DAY)
    assert life.heart is not None
    assert life.heart.status().endswith("; critical advisory A-1 (fixed in 2.0)")
    said = [line for line in life.priorities if "A-1" in line[1]]
    assert said == [(WARNING, "critical advisory A-1 (fixed in 2.0); see: rollcall updates")]
    life.answer = answered()
    life.run(DAY)
    assert "A-1" not in life.heart.status()
    assert status_text(life.answer, None, None) == "sending: no beat yet"


def test_why_there_is_no_feed_is_said_once_until_it_changes() -> None:
    life = Asking(answer=answered(feed_problem="no route"))
    life.run(3 * DAY)
    life.answer = answered()
    life.run(DAY)
    life.answer = answered(feed_problem="no route")
    life.run(3 * DAY)
    said = [line for line in life.priorities if "no route" in line[1]]
    assert said == [(NOTICE, "release feed: no route; see: rollcall updates")] * 2
