"""The process that runs the proof: it leaves the machine's network for an empty one, and runs every step.

`prove` starts it, with a Task as JSON on stdin. It answers with Evidence as JSON on stdout.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from agent.proving.meters import MOST_LINES, Count, Nft, Strace, packets, paths_below
from agent.proving.namespace import CannotSeparate, ask_names_here, enter_namespace, hide
from agent.proving.sink import NameServer, Sink
from agent.proving.steps import HEARTBEAT, SECONDS, STEPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from agent.proving.steps import Step

ALL_SECONDS = 55.0
"""When the proof gives up."""
BEATS = 2
QUIET_SECONDS = 3.0
"""How long a silent daemon runs, with an interval of one second."""
TICK = 0.02
ACTIVE = "Instance Active"


@dataclass(frozen=True)
class Task:
    """What `prove` knows of this machine and this installation."""

    place: str
    """A folder for everything that is made."""
    silent: dict[str, str]
    """The environment of each silent step; `loud` is that of the loud ones."""
    loud: dict[str, str]
    path: str
    """Where strace and nft may be."""
    edited: str
    """The docker.env of the verbs that edit one."""
    covered: str
    """The folder of the machine's docker.env: a flag in it must not silence the loud run."""


@dataclass
class Evidence:
    """What was measured, or why nothing could be."""

    cannot: str = ""
    right: str = ""
    silent: dict[str, dict[str, int | None]] = field(default_factory=dict)
    loud: dict[str, dict[str, int | None]] = field(default_factory=dict)
    exits: dict[str, list[int | None]] = field(default_factory=dict)
    """Of each step the exit code, silent and loud."""
    calls: dict[str, list[str]] = field(default_factory=dict)
    """Calls of a silent step that there should not be."""
    unmeasured: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    """The bodies that the sink got."""
    preview: str = ""


class TooSlow(Exception):  # noqa: N818 - reads as what it says
    """The proof takes longer than it may."""


class Room:
    """Runs steps in the namespace, and counts. Owns every process that comes of them."""

    def __init__(self, task: Task, evidence: Evidence) -> None:
        self._task = task
        self._evidence = evidence
        self._until = time.monotonic() + ALL_SECONDS
        self.sink = Sink()
        self._names = self._serve_names()
        self._nft = Nft(task.path)
        self._strace = Strace(task.path, os.path.join(task.place, "calls"), task.edited)
        self._output = os.path.join(task.place, "output")
        if self._nft.problem:
            evidence.unmeasured.append(f"packets by nftables: {self._nft.problem}; /proc/net counts them")
        if self._strace.problem:
            evidence.unmeasured.append(
                f"sockets, and files elsewhere than in the instance's own folders: {self._strace.problem}"
            )

    def _serve_names(self) -> NameServer | None:
        try:
            conf = os.path.join(self._task.place, "resolv.conf")
            with open(conf, "w", encoding="ascii") as file:
                file.write("nameserver 127.0.0.1\n")
            ask_names_here(conf)
            return NameServer()
        except OSError as why:
            self._evidence.unmeasured.append(f"look-ups by name: {why.strerror}; their packets are counted")
            return None

    def run_all(self, settings: Mapping[str, str], *, loud: bool) -> None:
        counts = self._evidence.loud if loud else self._evidence.silent
        for step in STEPS:
            count = self._run_step(step, settings, loud=loud)
            counts[step.name] = count.as_dict()
            if not loud and not count.quiet:
                self._evidence.calls[step.name] = [*self._strace.sockets(), *self._strace.made()][:MOST_LINES]

    def _run_step(self, step: Step, settings: Mapping[str, str], *, loud: bool) -> Count:
        folders = os.path.join(self._task.place, "instance")
        before, sent, sent_nft = paths_below(folders), packets(), self._nft.packets()
        asked = self._names.asked if self._names else 0
        enough = self._daemon_has_beaten(loud=loud) if step.name == HEARTBEAT else None
        if step.edits:
            settings = {**settings, "ROLLCALL_ENV_FILE": self._task.edited}
        code = self._run([sys.executable, "-I", "-B", "-m", "agent", *step.words], settings, enough)
        self._evidence.exits.setdefault(step.name, []).append(code)
        if loud and step.name == "preview":
            with open(self._output, encoding="utf-8") as file:
                self._evidence.preview = file.read()
        self._strace.read()
        traced = not self._strace.problem
        return Count(
            packets=max(packets() - sent, self._nft.packets() - sent_nft),
            lookups=self._names.asked - asked if self._names else None,
            sockets=len(self._strace.sockets()) if traced else None,
            files=max(len(paths_below(folders) - before), len(self._strace.made())),
        )

    def _daemon_has_beaten(self, *, loud: bool) -> Callable[[int], bool]:
        """Whether it ran long enough; half-way a silent one is asked to look at its settings again."""
        began, before, asked = time.monotonic(), self._beats(), [False]

        def enough(pid: int) -> bool:
            if loud:
                return self._beats() >= before + BEATS
            ran = time.monotonic() - began
            if ran > QUIET_SECONDS / 2 and not asked[0]:
                asked[0] = True
                os.kill(pid, signal.SIGHUP)
            return ran > QUIET_SECONDS

        return enough

    def _beats(self) -> int:
        return sum(event.get("event") == ACTIVE for event in self.sink.events())

    def _run(
        self, argv: list[str], environ: Mapping[str, str], enough: Callable[[int], bool] | None
    ) -> int | None:
        """Run until every process that came of it has ended; the exit code of the first."""
        argv = [*self._strace.prefix(), *argv]
        create = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, self._output, create, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        pid = os.posix_spawn(argv[0], argv, environ, file_actions=actions)
        code, end, asked = None, time.monotonic() + SECONDS, False
        try:
            while True:
                if time.monotonic() > self._until:
                    raise TooSlow
                if time.monotonic() > end:
                    end_all_children()  # the next look finds none
                if enough and not asked and (enough(pid) or time.monotonic() > end - SECONDS / 2):
                    asked = True
                    os.kill(pid, signal.SIGTERM)
                ended, status = os.waitpid(-1, os.WNOHANG)
                if ended == pid:
                    code = os.waitstatus_to_exitcode(status)
                elif ended == 0:
                    time.sleep(TICK)
        except ChildProcessError:
            return code


def end_all_children() -> None:
    """Kill every process that came of this one, and collect them; orphans are ours too."""
    with contextlib.suppress(ChildProcessError):
        while True:
            for pid in _children():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            time.sleep(TICK)


def _children() -> Iterator[int]:
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            with open(f"/proc/{int(name)}/stat", encoding="utf-8", errors="replace") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
            if parent == os.getpid():
                yield int(name)


def prove(task: Task) -> Evidence:
    """Enter the namespace, and run everything silent and then loud."""
    evidence = Evidence()
    try:
        evidence.right = enter_namespace()
        os.chdir(os.path.join(task.place, "instance/cwd"))
        room = Room(task, evidence)
        room.run_all({"ROLLCALL_ENDPOINT": room.sink.endpoint, **task.silent}, loud=False)
        hide(task.covered)
        room.run_all({**task.loud, "ROLLCALL_ENDPOINT": room.sink.endpoint}, loud=True)
        evidence.received = room.sink.bodies
        if not room.sink.bundles:
            evidence.unmeasured.append(
                "a support bundle that is sent: none could be sealed; is jwcrypto installed?"
            )
    except CannotSeparate as why:
        evidence.cannot = str(why)
    except TooSlow:
        evidence.cannot = f"the proof took longer than {ALL_SECONDS:.0f} s: try again on a quieter machine"
    finally:
        end_all_children()
    return evidence


def main() -> int:
    """Answer one task."""
    evidence = prove(Task(**json.load(sys.stdin)))
    print(json.dumps(asdict(evidence)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
