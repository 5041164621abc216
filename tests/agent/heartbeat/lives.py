"""A simulated life of one instance: real Heart, real schedule, invented clocks and children."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from agent.base.clock import Now
from agent.heartbeat.answer import ChildAnswer
from agent.heartbeat.due import PROMPT, Due
from agent.heartbeat.heart import BEAT, LONGEST_SLEEP, Heart

HOUR = 3600.0
INTERVAL, FIRST_DELAY, JITTER = 6 * HOUR, 120.0, 300.0
EPOCH = 1_800_000_000.0


def pauses(marks: list[float]) -> list[float]:
    """What lies between each mark and the next."""
    return [after - before for before, after in zip(marks, marks[1:])]


def answered(*, recorded: bool = False, **changes: object) -> ChildAnswer:
    plain = ChildAnswer(
        sending=True,
        rule="no-flag",
        source=None,
        alive=True,
        recorded=recorded,
        waiting=0,
        retry_in=None,
        last_beat=None,
        last_error=None,
        interval=INTERVAL,
        first_delay=FIRST_DELAY,
        jitter=JITTER,
        feed_in=None,
        feed_problem=None,
        critical=None,
        state_dir="/state",
        files=[],
    )
    return plain._replace(**changes)  # type: ignore[arg-type]


@dataclass
class Life:
    """The world of one heart. `up` counts the seconds that the daemon ran; beats are in it."""

    seed: int = 0
    boot: float = 50.0
    boots: int = 1
    wall_ahead: float = EPOCH
    true: float = 0.0
    up: float = 0.0
    disk: Due | None = None
    beats: list[float] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    true_beats: list[float] = field(default_factory=list)
    slots: set[int] = field(default_factory=set)
    answer: ChildAnswer = field(default_factory=answered)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    broken: bool = False
    longest_sleep: float = LONGEST_SLEEP

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.heart: Heart | None = None

    # what the heart asks for

    def ask_child(self, *verb: str) -> ChildAnswer | None:
        self.asked.append(verb)
        if self.broken:
            return None
        if verb[: len(BEAT)] != BEAT or not self.answer.sending or self.answer.alive is False:
            return self.answer
        slot = int(verb[-1])
        if slot not in self.slots:
            self.slots.add(slot)
            self.beats.append(self.up)
            self.true_beats.append(self.true)
        return self.answer._replace(recorded=True)

    def clocks(self) -> Now:
        return Now(self.boot, self.boot + self.wall_ahead, f"boot-{self.boots}")

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def claim(self, state_dir: str) -> None:
        pass

    def load_due(self) -> Due | None:
        return self.disk

    def keep_due(self, due: Due) -> None:
        self.disk = due

    def log(self, priority: int, message: str, **fields: object) -> None:
        self.logged.append(message)

    # what happens to it

    def run(self, seconds: float) -> None:
        """The daemon runs (started if it does not) and nothing disturbs it."""
        end = self.up + seconds
        while True:
            if self.heart is None:
                self.heart = Heart(self, self.longest_sleep)
            wait = min(self.heart.step(), end - self.up)
            if self.up >= end:
                return
            self._pass(wait)
            self.up += wait

    def jump(self, seconds: float) -> None:
        """Someone sets the wall clock."""
        self.wall_ahead += seconds

    def freeze(self, seconds: float) -> None:
        """Suspend, SIGSTOP, a paused container: time passes and the daemon does not run."""
        self._pass(seconds)

    def kill(self, down: float) -> None:
        """kill -9, and a start some time later."""
        if down > PROMPT:
            self.returns.append(self.up)
        self.heart = None
        self._pass(down)

    def stop(self, down: float) -> None:
        """An orderly stop, and a start some time later."""
        if self.heart is not None:
            self.heart.stop()
        self.heart = None
        self._pass(down)

    def reboot(self, off: float, *, orderly: bool, lie: float = 0.0) -> None:
        """Off, and up again; `lie` is how wrong the clock is then, against before."""
        if orderly:
            self.stop(0)
        else:
            self.returns.append(self.up)
        wall = self.boot + self.wall_ahead
        self.heart = None
        self.true += off
        self.boots += 1
        self.boot = 20.0
        self.wall_ahead = wall + off + lie - self.boot

    def _pass(self, seconds: float) -> None:
        self.boot += seconds
        self.true += seconds

    def gaps(self) -> list[float]:
        """Running time from each beat to the next, the unfinished one too.

        A power cut, or kill -9 with a late restart, leaves nothing on disk of how long was waited
        already: it counts as a start.
        """
        marks = sorted([0.0, *self.beats, *self.returns, self.up])
        return pauses(marks)


LONGEST_SILENCE = INTERVAL + JITTER + 2 * LONGEST_SLEEP
