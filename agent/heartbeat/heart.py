"""What the heartbeat does and when: four jobs, and what they learned.

All of the real world comes in as a World, so that a test simulates five days in milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agent.base.files import file_stamp
from agent.heartbeat.agenda import Agenda
from agent.heartbeat.due import PROMPT, Pace, first_due, next_due, resumed_due, spread_due
from agent.heartbeat.standing import Announcer, status_text
from agent.heartbeat.systemd import ERROR, WARNING

if TYPE_CHECKING:
    from agent.base.clock import Now
    from agent.base.files import FileStamp
    from agent.heartbeat.answer import ChildAnswer
    from agent.heartbeat.due import Due

LONGEST_SLEEP = 300.0
"""How late an edit, a resume or a clock that jumped is noticed."""

BEAT_RETRY = 900.0
"""A beat that could not be recorded (product down, disk full) is tried again after this."""

LEAST_FLUSH_GAP = 5.0
"""No delivery is tried sooner than this after another, whatever the child says."""

CLOCK_MOVED = 60.0
"""A wall clock that moved by more than this against the boot clock is worth a note on disk."""

CHECK = ("flush", "--report", "--budget", "0")
FEED = (*CHECK, "--feed")
FLUSH = ("flush", "--report")
BEAT = ("beat", "--report", "--slot")


class World(Protocol):
    """What a heart needs from outside."""

    def ask_child(self, *verb: str) -> ChildAnswer | None:
        """Run a child; None if it failed or its answer made no sense (already logged)."""

    def clocks(self) -> Now: ...
    def uniform(self, low: float, high: float) -> float: ...

    def claim(self, state_dir: str) -> None:
        """Be the only daemon there, from now on. OSError where that cannot be told."""

    def load_due(self) -> Due | None: ...
    def keep_due(self, due: Due) -> None: ...
    def log(self, priority: int, message: str, **fields: object) -> None: ...


class Heart:
    """The jobs `check`, `beat`, `flush` and `feed`, and the state between them."""

    def __init__(self, world: World, longest_sleep: float = LONGEST_SLEEP) -> None:
        self._world = world
        self._longest_sleep = longest_sleep
        self._agenda = Agenda(self._job_failed)
        jobs = {"check": self._check, "beat": self._beat, "flush": self._flush, "feed": self._feed}
        for name, work in jobs.items():
            self._agenda.add(name, work)
        self._announcer = Announcer(world.log)
        self._answer: ChildAnswer | None = None
        self._due: Due | None = None
        self._kept: Due | None = None
        self._missing: str | None = None
        """A docker.env that was read before and is missing."""
        self._present: set[str] = set()
        self._answered = True
        self._awake = world.clocks().boot
        self._agenda.set("check", self._awake)

    def step(self) -> float:
        """Do what is due; how many seconds until there is something to do again."""
        self._follow_the_clocks(self._world.clocks())
        self._skip_a_missed_feed(self._world.clocks())
        self._notice_edits()
        self._agenda.run_due(self._world.clocks().boot)
        now = self._awake = self._world.clocks().boot
        due = self._agenda.next()
        return self._sleep() if due is None else max(0.0, min(due - now, self._sleep()))

    def reload(self) -> None:
        """Check everything anew at the next step."""
        self._agenda.set("check", self._world.clocks().boot)

    def stop(self) -> None:
        """Keep what is left to wait, for the next start."""
        if self._due is not None and self._beating():
            self._keep(self._due._replace(at=self._world.clocks()))

    def env_files(self) -> list[str]:
        """Every place of a docker.env that the last child looked at."""
        return [] if self._answer is None else [str(file[0]) for file in self._answer.files]

    def status(self) -> str:
        """One line for `systemctl status`."""
        beat, now = self._agenda.due("beat"), self._world.clocks()
        next_beat = None if beat is None else now.wall + beat - now.boot
        text = status_text(self._answer, self._missing, next_beat)
        return text + ("" if self._answered else "; the last try failed, see the log")

    # the jobs

    def _check(self) -> None:
        answer = self._ask_child(*CHECK)
        if answer is None:
            self._agenda.set("check", self._world.clocks().boot + LONGEST_SLEEP)
        else:
            self._take_in(answer)

    def _flush(self) -> None:
        answer = self._ask_child(*FLUSH)
        if answer is None:
            self._agenda.set("flush", self._world.clocks().boot + self._retry())
        else:
            self._take_in(answer)

    def _feed(self) -> None:
        """Ask for the release feed. Where that fails, the next answer of any child says when it is due."""
        answer = self._ask_child(*FEED)
        if answer is not None:
            self._take_in(answer)

    def _beat(self) -> None:
        if self._due is None:
            return
        self._agenda.set("beat", self._world.clocks().boot + self._retry())  # unless it succeeds
        answer = self._ask_child(*BEAT, str(self._due.slot))
        if answer is None:
            return
        if answer.sending:
            self._announcer.alive(answer)
        if answer.sending and answer.recorded:
            self._plan_beat(next_due(self._due, self._world.clocks(), _pace(answer), self._world.uniform))
        self._take_in(answer)

    def _ask_child(self, *verb: str) -> ChildAnswer | None:
        self._answered = False
        answer = self._world.ask_child(*verb)
        self._answered = answer is not None
        return answer

    def _job_failed(self, job: str, error: Exception) -> None:
        self._announcer.once(f"failed {job}", repr(error), ERROR, f"{job} failed: {error!r}")
        if self._agenda.due(job) is None:
            self._agenda.set(job, self._world.clocks().boot + self._retry())

    # what an answer changes

    def _take_in(self, answer: ChildAnswer) -> None:
        """Follow what a child found: the decision, the pace, and when to deliver again."""
        self._note_missing(answer.files)
        self._answer = answer
        self._announcer.decision(answer, self._missing)
        if not self._beating():
            self._forget_the_plan()
            if self._missing is None:
                self._plan_flush(answer)  # a silent one erases what could not be erased before
            return
        self._claim(answer.state_dir)
        self._begin_or_shorten(answer)
        self._plan_flush(answer)
        self._plan_feed(answer)

    def _forget_the_plan(self) -> None:
        self._due = None
        self._agenda.set("beat", None)
        self._agenda.set("flush", None)
        self._agenda.set("feed", None)

    def _claim(self, state_dir: str) -> None:
        try:
            self._world.claim(state_dir)
        except OSError as error:
            self._announcer.once("claim", str(error), WARNING, f"cannot use the state directory: {error}")
        else:
            self._announcer.forget("claim")

    def _begin_or_shorten(self, answer: ChildAnswer) -> None:
        """Plan the first beat of this process, or the next where a shorter interval was set."""
        now, pace = self._world.clocks(), _pace(answer)
        if self._due is None:
            saved = self._kept = self._world.load_due()
            first = first_due(now, pace)
            self._plan_beat(first if saved is None else resumed_due(saved, now, pace, self._world.uniform))
        elif self._due.due > now.boot + pace.interval + pace.jitter:
            self._plan_beat(resumed_due(self._due, now, pace, self._world.uniform))

    def _plan_beat(self, due: Due) -> None:
        self._due = due
        self._agenda.set("beat", due.due)
        self._keep(due)

    def _keep(self, due: Due) -> None:
        if due == self._kept:
            return
        try:
            self._world.keep_due(due)
        except OSError as error:
            self._announcer.once(
                "keep", str(error), WARNING, f"cannot store the time of the next beat: {error}"
            )
        else:
            self._kept = due
            self._announcer.forget("keep")

    def _plan_flush(self, answer: ChildAnswer) -> None:
        after, now = answer.retry_in, self._world.clocks().boot
        self._agenda.set("flush", None if after is None else now + max(after, LEAST_FLUSH_GAP))

    def _plan_feed(self, answer: ChildAnswer) -> None:
        self._announcer.feed(answer)
        after, due, now = answer.feed_in, self._agenda.due("feed"), self._world.clocks().boot
        if after is None:
            self._agenda.set("feed", None)
        elif due is None or due > now:  # one that became due while this child ran comes next
            self._agenda.set("feed", now + after)

    # what time and files change

    def _follow_the_clocks(self, now: Now) -> None:
        """Put off a beat that was slept through; note a clock that was set."""
        if self._due is None or self._answer is None or not self._beating():
            return
        if self._agenda.due("beat") == self._due.due:
            pace = _pace(self._answer)
            put_off = spread_due(self._due, self._awake, now, pace, self._world.uniform)
            if put_off != self._due:
                self._plan_beat(put_off)
        moved = (now.wall - now.boot) - (self._due.at.wall - self._due.at.boot)
        if abs(moved) > CLOCK_MOVED:
            self._due = self._due._replace(at=now)  # a reboot is bridged by the clock as it is now
            self._keep(self._due)

    def _skip_a_missed_feed(self, now: Now) -> None:
        """Plan a feed anew that was slept through: a fleet that wakes up must not ask all at once."""
        due = self._agenda.due("feed")
        if due is not None and now.boot - due > PROMPT:
            self._agenda.set("feed", None)
            self.reload()

    def _notice_edits(self) -> None:
        """Check again if a docker.env is not what the last child saw."""
        if self._answer is None:
            return
        stamps = [file_stamp(str(file[0])) for file in self._answer.files]
        if stamps != self._answer.files:
            self._note_missing(stamps)
            if self._missing is not None:
                self._forget_the_plan()  # no child knows of a file that no beat has read yet
            self.reload()

    def _note_missing(self, files: list[FileStamp]) -> None:
        """A docker.env that was read before and is missing silences until it is back."""
        self._present |= {str(file[0]) for file in files if file[1] is not None}
        missing = [str(f[0]) for f in files if f[1] is None and str(f[0]) in self._present]
        self._missing = missing[0] if missing else None

    def _beating(self) -> bool:
        return self._answer is not None and self._answer.sending and self._missing is None

    def _sleep(self) -> float:
        longest = self._longest_sleep
        return longest if self._answer is None else min(longest, max(1.0, self._answer.interval))

    def _retry(self) -> float:
        return BEAT_RETRY if self._answer is None else min(BEAT_RETRY, self._answer.interval)


def _pace(answer: ChildAnswer) -> Pace:
    return Pace(answer.interval, answer.first_delay, answer.jitter)
