"""Signals from outside: each reaches CMD once, and the end is CMD's."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from agent.base.processes import state
from tests import wait
from tests.e2e.wrap.side_by_side import WRAP, Sides, wrap_after

PASSED_ON = ("TERM", "HUP", "QUIT", "USR1", "USR2", "INT", "CONT", "ALRM", "WINCH", "RTMAX")
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

PATIENT_WITNESS = """
from agent.wrapper.process import witness
witness.BUSY, told, in_turn = {0}, witness.Witness._told, {1}
witness.Witness._told = lambda self, number, now, patience: told(
    self, number, now, {0} if number in in_turn else patience
)
"""


@contextmanager
def counting(covered: Sides, *in_turn: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """CMD that tells each signal it gets, and the pid of CMD.

    The witness may have to wait for a processor, and who sends a signal `in_turn` too.
    In a group of its own in our session, as a shell's job is: that of a session's leader does not stop.
    """
    argv = [
        *wrap_after(PATIENT_WITNESS.format(wait.PATIENCE, tuple(map(int, in_turn)))),
        "--",
        sys.executable,
        "-c",
        COUNTS,
        " ".join((*PASSED_ON, "XCPU")),
    ]
    with subprocess.Popen(
        argv,
        env=covered.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=os.setpgrp,  # noqa: PLW1509 - process_group is younger than Python 3.10
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
    with counting(covered, *([number_of(name)] if whom == "each in turn" else [])) as (process, _):
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
        assert process.wait(wait.PATIENCE) == 7


def family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [pid, *(int(word) for word in children.split())]


def settled(pid: int) -> None:
    """Wait until the wrapper has its witness and waits."""
    wait.until(lambda: len(family(pid)) >= 3)
    wait.until(lambda: "sigtimedwait" in wchan(pid) or state(pid) == "S")


def wchan(pid: int) -> str:
    return Path(f"/proc/{pid}/wchan").read_text()


def test_killing_the_wrapper_ends_the_command(covered: Sides) -> None:
    with counting(covered) as (process, _):
        settled(process.pid)
        children = family(process.pid)[1:]
        os.kill(process.pid, signal.SIGKILL)
        process.wait(wait.PATIENCE)
        wait.until(lambda: {state(pid) for pid in children} <= {"", "Z"}, why="nobody holds the run file")
    ends = [event["properties"] for event in covered.events() if event["event"] == "Installation Errors"]
    assert [end["reason"] for end in ends if isinstance(end, dict)] == ["interrupted"]


@pytest.mark.parametrize("name", ["STOP", "TSTP", "TTIN", "TTOU"])
def test_stop_and_continue_are_mirrored(covered: Sides, name: str) -> None:
    with counting(covered) as (process, pid):
        os.kill(pid, number_of(name))
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert os.WSTOPSIG(status) == number_of(name)
        os.kill(process.pid, signal.SIGCONT)
        wait.until(lambda: state(pid) == "S")
        os.kill(process.pid, signal.SIGXCPU)
        assert process.wait(wait.PATIENCE) == 7


def stopped(pid: int) -> bool:
    """Whether the wrapper stopped since this was asked last; waits until it did."""
    return os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])


def test_a_stop_right_after_a_continue_holds(covered: Sides) -> None:
    """The continue is not passed on late: that would wake CMD from the second stop."""
    with counting(covered) as (process, pid):
        settled(process.pid)
        os.killpg(process.pid, signal.SIGTSTP)
        assert stopped(process.pid)
        for _ in range(8):
            os.killpg(process.pid, signal.SIGCONT)
            os.killpg(process.pid, signal.SIGTSTP)
            assert stopped(process.pid)
            wait.until(lambda: state(pid) == "T")
        os.killpg(process.pid, signal.SIGCONT)
        os.kill(process.pid, signal.SIGXCPU)
        assert process.wait(wait.PATIENCE) == 7


@pytest.mark.parametrize("name", ["STOP", "TSTP"])
def test_a_continue_right_after_a_stop_holds(covered: Sides, name: str) -> None:
    with counting(covered) as (process, pid):
        settled(process.pid)
        for _ in range(8):
            os.killpg(process.pid, number_of(name))
            os.killpg(process.pid, signal.SIGCONT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.3)  # as long as anything could be passed on late
        wait.until(lambda: (state(process.pid), state(pid)) == ("S", "S"))
        os.kill(process.pid, signal.SIGXCPU)
        assert process.wait(wait.PATIENCE) == 7


def test_who_continues_the_command_alone_continues_the_wrapper(covered: Sides) -> None:
    """Or it would stay stopped beyond CMD's end, and its caller with it."""
    with counting(covered) as (process, pid):
        assert process.stdout is not None
        settled(process.pid)
        for _ in range(2):
            os.kill(pid, signal.SIGSTOP)
            assert stopped(process.pid)
            os.kill(pid, signal.SIGCONT)
            wait.until(lambda: state(process.pid) == "S")
            assert process.stdout.readline() == b"SIGCONT\n"
        os.kill(pid, signal.SIGSTOP)
        assert stopped(process.pid)
        os.kill(pid, signal.SIGKILL)
        assert process.wait(wait.PATIENCE) == -signal.SIGKILL
        assert process.stdout.read() == b""


def test_a_signal_arrives_once_where_the_witness_is_slow(covered: Sides) -> None:
    """As on a machine that is busy with the install."""
    with counting(covered) as (process, pid):
        assert process.stdout is not None
        settled(process.pid)
        (witness,) = set(family(process.pid)) - {process.pid, pid}
        os.kill(witness, signal.SIGSTOP)
        os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.3)
        os.kill(witness, signal.SIGCONT)
        assert process.stdout.readline() == b"SIGINT\n"
        os.kill(process.pid, signal.SIGXCPU)
        assert process.stdout.read() == b"SIGXCPU\n"


STOPPED_EARLY = """
import os, signal, sys
from agent.wrapper import boot; from agent.wrapper.process import child
exec_command = child.exec_command
def stopped(argv, environment):
    os.kill(os.getpid(), signal.SIGTSTP)
    return exec_command(argv, environment)
child.exec_command = stopped
boot.main(["--no-input", "--", *sys.argv[-1:]])
"""


def test_a_stop_before_the_command_has_begun_ends_by_itself(covered: Sides) -> None:
    """CMD is stopped while the wrapper has blocked its signals, and waits to hear of CMD's start."""
    with subprocess.Popen(
        [sys.executable, "-c", STOPPED_EARLY, "true"],
        env=covered.environment(), stderr=subprocess.PIPE,
        preexec_fn=os.setpgrp,  # noqa: PLW1509 - process_group is younger than Python 3.10
    ) as process:  # fmt: skip
        try:
            assert process.stderr is not None
            assert b"preview" in process.stderr.readline()
            assert process.wait(wait.PATIENCE) == 0
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_a_childs_signal_to_everyone_does_not_hide_the_end(covered: Sides) -> None:
    """Of two SIGCHLD that wait the kernel keeps one, and that says nothing of CMD."""
    ends = "import os; input(); os.kill(0, 17); os._exit(7)"
    for _ in range(8):
        with subprocess.Popen(
            [*WRAP, "--", sys.executable, "-c", ends],
            env=covered.environment(), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:  # fmt: skip
            try:
                settled(process.pid)
                process.communicate(b"\n", timeout=wait.PATIENCE)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            assert process.returncode == 7


def test_without_its_witness_the_wrapper_passes_on_what_people_send(covered: Sides) -> None:
    with counting(covered) as (process, pid):
        assert process.stdout is not None
        settled(process.pid)
        (witness,) = set(family(process.pid)) - {process.pid, pid}
        os.kill(witness, signal.SIGKILL)
        wait.until(lambda: not Path(f"/proc/{witness}").exists())  # reaped, so that its pid is not used again
        os.kill(process.pid, signal.SIGUSR1)
        assert process.stdout.readline() == b"SIGUSR1\n"
        os.kill(process.pid, signal.SIGXCPU)
        assert process.wait(wait.PATIENCE) == 7


def test_without_its_witness_the_wrapper_is_still_continued_with_the_command(covered: Sides) -> None:
    with counting(covered) as (process, pid):
        settled(process.pid)
        (witness,) = set(family(process.pid)) - {process.pid, pid}
        os.kill(witness, signal.SIGKILL)
        wait.until(lambda: not Path(f"/proc/{witness}").exists())
        os.kill(pid, signal.SIGSTOP)
        assert stopped(process.pid)
        os.kill(pid, signal.SIGCONT)
        wait.until(lambda: state(process.pid) == "S")
        os.kill(process.pid, signal.SIGXCPU)
        assert process.wait(wait.PATIENCE) == 7


@pytest.mark.needs("root", "user")
def test_a_command_that_may_not_be_signalled_goes_on(covered: Sides) -> None:
    """As sudo, wrapped by a user: what cannot be passed on is dropped, and CMD is not run again."""
    runs = covered.base / "runs"
    begins = f"echo once >>{runs}; exec setpriv --reuid=65534 --clear-groups sh -c 'echo up; read x; exit 6'"
    bounds = ["setpriv", "--bounding-set=-kill", "--inh-caps=-kill"]
    with subprocess.Popen(
        [*bounds, *WRAP, "--", "sh", "-c", begins],
        env=covered.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        settled(process.pid)
        os.kill(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.stdin.close()
        assert process.wait(wait.PATIENCE) == 6
    assert runs.read_text() == "once\n"
