"""What the heartbeat does and when, apart from any process: a few jobs and what they learned.

Everything of the world comes in: `ask` runs a child, `clocks` looks at the clocks, `World` keeps
and tells. So five simulated days take milliseconds.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from agent.base.files import file_stamp
from agent.config.consent import decision_text
from agent.heartbeat.agenda import Agenda
from agent.heartbeat.due import Pace, first_due, next_due, resumed_due, spread_due
from agent.heartbeat.systemd import ERROR, INFO, NOTICE, WARNING

if TYPE_CHECKING:
    from agent.base.clock import Now
    from agent.base.files import FileStamp
    from agent.heartbeat.answer import Report
    from agent.heartbeat.due import Due

STEP = 300.0
"""The longest sleep: how late an edit, a resume or a clock that jumped is noticed."""

AGAIN = 900.0
"""A slot that could not be recorded (product down, disk full) is tried again after this."""

RETRY_FLOOR = 5.0
"""No delivery is tried sooner than this after another, whatever the child says."""

CLOCK_MOVED = 60.0
"""A wall clock that moved by more than this against the boot clock is worth a note on disk."""

LOOK = ("flush", "--report", "--budget", "0")
FLUSH = ("flush", "--report")
BEAT = ("beat", "--report", "--slot")


class World(Protocol):
    """What a heart needs from outside."""

    def ask(self, *verb: str) -> Report | None:
        """Run a child; None if it failed or said nothing sensible (already logged)."""

    def clocks(self) -> Now: ...
    def uniform(self, low: float, high: float) -> float: ...

    def claim(self, state_dir: str) -> None:
        """Be the only daemon there, from now on. OSError where that cannot be told."""

    def load(self) -> Due | None: ...
    def keep(self, due: Due) -> None: ...
    def say(self, priority: int, message: str, **fields: object) -> None: ...


class Heart:
    """The jobs `look`, `beat` and `flush`, and the state between them."""

    def __init__(self, world: World, longest_sleep: float = STEP) -> None:
        self._world = world
        self._longest_sleep = longest_sleep
        self._agenda = Agenda(self._failed)
        for name, work in (("look", self._look), ("beat", self._beat), ("flush", self._flush)):
            self._agenda.add(name, work)
        self.report: Report | None = None
        self.due: Due | None = None
        self.gone: str | None = None
        self._kept: Due | None = None
        self._present: set[str] = set()
        self._said: dict[str, object] = {}
        self._answered = True
        self._awake = world.clocks().boot
        self._agenda.set("look", self._awake)

    def step(self) -> float:
        """Do what is due; how many seconds until there is something to do again."""
        self._settle(self._world.clocks())
        self._watch()
        self._agenda.run(self._world.clocks().boot)
        now = self._awake = self._world.clocks().boot
        due = self._agenda.next()
        return self._longest() if due is None else max(0.0, min(due - now, self._longest()))

    def reload(self) -> None:
        """Ask for everything anew at the next step."""
        self._agenda.set("look", self._world.clocks().boot)

    def stop(self) -> None:
        """Keep what is left to wait, for the next start."""
        if self.due is not None and self._beating():
            self._keep(self.due._replace(at=self._world.clocks()))

    # jobs

    def _look(self) -> None:
        report = self._ask(*LOOK)
        if report is None:
            self._agenda.set("look", self._world.clocks().boot + STEP)
        else:
            self._hear(report)

    def _flush(self) -> None:
        report = self._ask(*FLUSH)
        if report is None:
            self._agenda.set("flush", self._world.clocks().boot + self._again())
        else:
            self._hear(report)

    def _beat(self) -> None:
        if self.due is None:
            return
        self._agenda.set("beat", self._world.clocks().boot + self._again())  # unless it succeeds
        report = self._ask(*BEAT, str(self.due.slot))
        if report is None:
            return
        if report.sending:
            self._tell_alive(report)
        if report.sending and report.recorded:
            self._next_slot(report)
        self._hear(report)

    def _ask(self, *verb: str) -> Report | None:
        self._answered = False
        report = self._world.ask(*verb)
        self._answered = report is not None
        return report

    # what a report changes

    def _hear(self, report: Report) -> None:
        """Take in what a child found: the decision, the pace, and when to deliver again."""
        self._notice(report.files)
        self.report = report
        self._tell_decision(report)
        if not self._beating():
            self._forget_the_plan()
            if self.gone is None:
                self._plan_flush(report)  # a silent one erases what could not be erased before
            return
        self._claim(report.state_dir)
        self._begin(report)
        self._plan_flush(report)

    def _forget_the_plan(self) -> None:
        self.due = None
        self._agenda.set("beat", None)
        self._agenda.set("flush", None)

    def _claim(self, state_dir: str) -> None:
        try:
            self._world.claim(state_dir)
        except OSError as error:
            self._once("claim", str(error), WARNING, f"cannot use the state directory: {error}")
        else:
            self._said.pop("claim", None)

    def _begin(self, report: Report) -> None:
        now = self._world.clocks()
        pace = _pace(report)
        if self.due is None:
            saved = self._kept = self._world.load()
            first = first_due(now, pace)
            self._owe(first if saved is None else resumed_due(saved, now, pace, self._world.uniform))
        elif self.due.due > now.boot + pace.interval + pace.jitter:
            self._owe(resumed_due(self.due, now, pace, self._world.uniform))

    def _next_slot(self, report: Report) -> None:
        if self.due is not None:
            now = self._world.clocks()
            self._owe(next_due(self.due, now, _pace(report), self._world.uniform))

    def _owe(self, due: Due) -> None:
        self.due = due
        self._agenda.set("beat", due.due)
        self._keep(due)

    def _keep(self, due: Due) -> None:
        if due == self._kept:
            return
        try:
            self._world.keep(due)
        except OSError as error:
            self._once("keep", str(error), WARNING, f"cannot store the time of the next beat: {error}")
        else:
            self._kept = due
            self._said.pop("keep", None)

    def _plan_flush(self, report: Report) -> None:
        after, now = report.retry_in, self._world.clocks().boot
        self._agenda.set("flush", None if after is None else now + max(after, RETRY_FLOOR))

    # what time and files change

    def _settle(self, now: Now) -> None:
        """Put off a beat that was slept through; note a clock that was set."""
        if self.due is None or self.report is None or not self._beating():
            return
        pace = _pace(self.report)
        if self._agenda.due("beat") == self.due.due:
            put_off = spread_due(self.due, self._awake, now, pace, self._world.uniform)
            if put_off != self.due:
                self._owe(put_off)
        moved = (now.wall - now.boot) - (self.due.at.wall - self.due.at.boot)
        if abs(moved) > CLOCK_MOVED:
            self.due = self.due._replace(at=now)  # a reboot is bridged by the clock as it is now
            self._keep(self.due)

    def _watch(self) -> None:
        """Look again if a docker.env is not what the last child saw."""
        if self.report is None:
            return
        seen = [file_stamp(str(file[0])) for file in self.report.files]
        if seen != self.report.files:
            self._notice(seen)
            if self.gone is not None:
                self._forget_the_plan()  # no child knows of a file that no beat has read yet
            self.reload()

    def _notice(self, files: list[FileStamp]) -> None:
        """A docker.env that was read before and is missing silences until it is back."""
        self._present |= {str(file[0]) for file in files if file[1] is not None}
        absent = [str(f[0]) for f in files if f[1] is None and str(f[0]) in self._present]
        self.gone = absent[0] if absent else None

    def _beating(self) -> bool:
        return self.report is not None and self.report.sending and self.gone is None

    def _longest(self) -> float:
        longest = self._longest_sleep
        return longest if self.report is None else min(longest, max(1.0, self.report.interval))

    def _again(self) -> float:
        return AGAIN if self.report is None else min(AGAIN, self.report.interval)

    # what people are told, once

    def status(self) -> str:
        """One line for `systemctl status`."""
        return self._standing() + ("" if self._answered else "; the last try failed, see the log")

    def _standing(self) -> str:
        report, now = self.report, self._world.clocks()
        if report is None:
            return "starting"
        if not self._beating():
            return self._decision(report)
        last = f"last beat {_minute_of(report.last_beat)}" if report.last_beat else "no beat yet"
        beat = self._agenda.due("beat")
        following = "" if beat is None else f", next {_minute(now.wall + beat - now.boot)}"
        waiting = f", {report.waiting} waiting" if report.waiting else ""
        down = ", product not alive" if report.alive is False else ""
        return f"sending: {last}{following}{waiting}{down}"

    def _decision(self, report: Report) -> str:
        if self.gone is not None:
            return f"silent: {self.gone} was read before and is missing"
        return "sending" if report.sending else f"silent: {_why(report)}"

    def _tell_decision(self, report: Report) -> None:
        text = self._decision(report)
        state = "sending" if self._beating() else "silent"
        self._once("decision", text, NOTICE, text, state=state, rule=report.rule)

    def _tell_alive(self, report: Report) -> None:
        if report.alive is False:
            self._once("alive", "no", NOTICE, "the product is not alive; no heartbeat is sent until it is")
        elif "alive" in self._said:
            self._once("alive", "yes", INFO, "the product is alive again")

    def _failed(self, job: str, error: Exception) -> None:
        self._once(f"failed {job}", repr(error), ERROR, f"{job} failed: {error!r}")
        if self._agenda.due(job) is None:
            self._agenda.set(job, self._world.clocks().boot + self._again())

    def _once(self, what: str, value: object, priority: int, text: str, **fields: object) -> None:
        if self._said.get(what) != value:
            self._said[what] = value
            self._world.say(priority, text, **fields)


def _pace(report: Report) -> Pace:
    return Pace(report.interval, report.first_delay, report.jitter)


def _why(report: Report) -> str:
    return decision_text(report.rule, report.source)


def _minute(wall: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(wall))


def _minute_of(iso: str) -> str:
    return f"{iso[:10]} {iso[11:16]} UTC"
