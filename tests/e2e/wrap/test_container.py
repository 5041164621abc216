"""The wrapper as PID 1 of a container: as bare, and without zombies."""

import json
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from agent.wrapper.process.flusher import FIRST_PROCESS_SECONDS
from tests.e2e.wrap.side_by_side import WRAP, Sides, wrap_after
from tests.receiver import Receiver, hang
from tests.wait import PATIENCE, until

pytestmark = pytest.mark.needs("unshare")

# No coverage here: a namespace's end kills what is just writing its measurement.
CONTAINER = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
SLACK = 10.0  # start-up and end of a process, on a machine with other things to do
LEAVES_ORPHANS = """
for i in 1 2 3 4 5; do (sh -c ': & exec sleep 0.1' &); done; sleep 1; looks=0
while left=$(ps -eo stat= | grep -c Z); [ $looks -lt %d ] && [ $left -gt 0 ]; do
    sleep 0.1; looks=$((looks + 1))
done
echo $left
"""
PATIENT_WRAP = wrap_after(
    "from agent.wrapper.process import flusher\n"
    f"flusher.FIRST_PROCESS_SECONDS, flusher.WITHIN_THAT = {PATIENCE}, (b'--budget', b'{PATIENCE:.0f}s')"
)
"""With more time for its sender: how little it has is shown by one test."""
WAITS = {
    "handled": "trap 'echo got; exit 5' TERM; echo up; while :; do sleep 0.05; done",
    "not handled": "echo up; read x; echo $x; exit 6",
}


@pytest.mark.parametrize("end", ["exit 0", "exit 41", "kill -9 $$; sleep 0.2; exit 42", "(exit 3) & wait $!"])
def test_it_ends_as_cmd_does(sides: Sides, end: str) -> None:
    """PID 1 cannot be killed from inside its namespace, bare; the wrapper tells 128 + the signal."""
    wrapped = sides.bare([*CONTAINER, *WRAP, "--", "sh", "-c", end])
    bare = sides.bare([*CONTAINER, "sh", "-c", end])
    assert wrapped.code == (137 if "kill" in end else bare.code)
    assert wrapped.out == bare.out


def test_orphans_are_reaped(sides: Sides) -> None:
    seen = sides.bare([*CONTAINER, *WRAP, "--", "sh", "-c", LEAVES_ORPHANS % 1000])
    assert seen.out == b"0\n"
    careless = (
        "import os, subprocess, sys; subprocess.run(sys.argv[1:])"  # the meter: a PID 1 that reaps none
    )
    seen = sides.bare([*CONTAINER, WRAP[0], "-c", careless, "sh", "-c", LEAVES_ORPHANS % 10])
    assert int(seen.out) > 0


@pytest.mark.parametrize("kind", WAITS)
def test_signals_from_outside_do_as_they_would_to_cmd(sides: Sides, kind: str) -> None:
    def play(argv: Sequence[str]) -> tuple[bytes, int]:
        with subprocess.Popen(
            [*CONTAINER, *argv, "sh", "-c", WAITS[kind]],
            env=sides.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            try:
                assert process.stdout.readline() == b"up\n"
                first = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
                until(lambda: children(first) or len(argv) == 0)
                subprocess.run(["kill", "-TERM", str(first)], check=True)
                with suppress(BrokenPipeError):
                    process.stdin.write(b"went on\n")
                    process.stdin.close()
                return process.stdout.read(), process.wait(PATIENCE)
            finally:
                process.send_signal(signal.SIGKILL)

    assert play([*WRAP, "--"]) == play([]) == ((b"got\n", 5) if kind == "handled" else (b"went on\n", 6))


def install(receiver: Receiver, state: Path, *cmd: str, wrap: Sequence[str] = PATIENT_WRAP) -> list[str]:
    """One wrapped install as a container's command."""
    settings = [f"ROLLCALL_STATE_DIR={state}", f"ROLLCALL_ENDPOINT={receiver.endpoint}"]
    return [*CONTAINER, "env", *settings, *wrap, "--", *cmd]


def test_what_a_container_says_arrives_before_it_ends(sides: Sides) -> None:
    with Receiver() as receiver:
        for code in (0, 3, 0):
            done = sides.bare(install(receiver, sides.state, "sh", "-c", f"exit {code}"))
            assert done.code == code
        told = [str(event["event"]) for request in receiver.requests for event in request.batch]
    ended = ["Installation Success", "Installation Errors", "Installation Success"]
    assert [name for name in told if name != "Installation Started"] == ended
    assert len(told) == 6


def test_a_dead_endpoint_holds_a_container_up_for_a_few_seconds_and_costs_no_event(sides: Sides) -> None:
    with Receiver(then=hang) as receiver:
        began = time.monotonic()
        assert sides.bare(install(receiver, sides.state, "sh", "-c", "exit 3", wrap=WRAP)).code == 3
        taken = time.monotonic() - began
    log = subprocess.run(
        [*WRAP[:-2], "log", "--json"], env=sides.environment(), capture_output=True, text=True, check=True
    )
    shown = [json.loads(line) for line in log.stdout.splitlines()]
    assert [(one["state"], one["event"]["event"]) for one in shown] == [
        ("waiting", "Installation Started"),
        ("waiting", "Installation Errors"),
    ]
    assert taken < FIRST_PROCESS_SECONDS + SLACK


def test_a_container_that_is_stopped_meanwhile_ends_at_once(sides: Sides) -> None:
    with (
        Receiver(then=hang) as receiver,
        subprocess.Popen(
            install(receiver, sides.state, "sh", "-c", "exit 3"),
            env=sides.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        first = int(until(lambda: children(process.pid).split(), why="the wrapper")[0])
        until(
            lambda: any(sends(int(pid)) for pid in children(first).split()), why="the sender after CMD's end"
        )
        began = time.monotonic()
        subprocess.run(["kill", "-TERM", str(first)], check=True)
        assert process.wait(PATIENCE) == 3
        assert time.monotonic() - began < PATIENCE / 2


def sends(pid: int) -> bool:
    with suppress(OSError):
        return b"\0flush\0--budget\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()
