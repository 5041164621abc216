"""Signals from outside: each reaches CMD once, and the end is CMD's."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests import wait
from tests.e2e.wrap.side_by_side import WRAP, Sides

PASSED_ON = ("TERM", "HUP", "QUIT", "USR1", "USR2", "INT", "CONT", "ALRM", "WINCH")
COUNTS = """
import os, signal, sys
names = sys.argv[1].split()
def note(number, frame):
    os.write(1, signal.Signals(number).name.encode() + b"\\n")
    if number == signal.SIGXCPU:
        sys.exit(7)
for name in names:
    signal.signal(getattr(signal, "SIG" + name), note)
os.write(1, b"%d up\\n" % os.getpid())
while True:
    signal.pause()
"""


@contextmanager
def counting(covered: Sides) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """CMD that tells each signal it gets, and the pid of CMD."""
    argv = [*WRAP, "--", sys.executable, "-c", COUNTS, " ".join((*PASSED_ON, "XCPU"))]
    with subprocess.Popen(
        argv,
        env=covered.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline().split()[0])
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def number_of(name: str) -> signal.Signals:
    return signal.Signals[f"SIG{name}"]


@pytest.mark.parametrize("name", PASSED_ON)
@pytest.mark.parametrize("whom", ["wrapper", "group", "each in turn"])
def test_a_signal_arrives_once(covered: Sides, name: str, whom: str) -> None:
    with counting(covered) as (process, _):
        assert process.stdout is not None
        settled(process.pid)
        if whom == "wrapper":
            os.kill(process.pid, number_of(name))
        elif whom == "group":
            os.killpg(process.pid, number_of(name))
        else:
            for pid in family(process.pid):
                os.kill(pid, number_of(name))
        seen = [process.stdout.readline()]
        os.kill(process.pid, signal.SIGXCPU)  # the last one: what came twice came before it
        seen += process.stdout.readlines()
        assert [line.decode().strip() for line in seen] == [f"SIG{name}", "SIGXCPU"]
        assert process.wait(10) == 7


def family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [pid, *(int(word) for word in children.split())]


def settled(pid: int) -> None:
    """Wait until the wrapper has its witness and waits."""
    wait.until(lambda: len(family(pid)) >= 3)
    wait.until(lambda: "sigtimedwait" in wchan(pid) or state(pid) == "S")


def wchan(pid: int) -> str:
    return Path(f"/proc/{pid}/wchan").read_text()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_killing_the_wrapper_ends_the_command(covered: Sides) -> None:
    with counting(covered) as (process, pid):
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        wait.until(lambda: not Path(f"/proc/{pid}").exists() or state(pid) == "Z")
    ends = [event["properties"] for event in covered.events() if event["event"] == "Installation Errors"]
    assert [end["reason"] for end in ends if isinstance(end, dict)] == ["interrupted"]


def test_stop_and_continue_are_mirrored(covered: Sides) -> None:
    with counting(covered) as (process, pid):
        os.kill(pid, signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
        os.kill(process.pid, signal.SIGCONT)
        wait.until(lambda: state(pid) == "S")
        os.kill(process.pid, signal.SIGXCPU)
        assert process.wait(20) == 7
