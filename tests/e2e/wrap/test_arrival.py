"""What a wrapped install says arrives by itself: no other verb has to be run."""

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from agent.base.statedir import StateDir
from tests import environ
from tests import receiver as kit
from tests.deadends import Mute
from tests.e2e.wrap.side_by_side import WRAP
from tests.instance import Instance
from tests.receiver import Receiver
from tests.wait import PATIENCE, until


def told(receiver: Receiver) -> list[str]:
    return [str(event["event"]) for request in list(receiver.requests) for event in request.batch]


@pytest.mark.parametrize(
    ("command", "end"),
    [
        (["true"], "Installation Success"),
        (["false"], "Installation Errors"),
        (["./none"], "Installation Errors"),
    ],
)
def test_start_and_end_arrive_without_another_verb(tmp_path: Path, command: list[str], end: str) -> None:
    with Receiver() as receiver:
        instance = Instance(tmp_path, receiver.endpoint)
        instance.run("wrap", "--", *command)
        until(lambda: end in told(receiver), why=f"{end} to arrive")
        assert set(told(receiver)) == {"Installation Started", end}


def test_a_failed_install_is_told_when_the_network_comes_later(tmp_path: Path) -> None:
    down = [kit.close, kit.answer(503), kit.close]
    with Receiver(script=down) as receiver:
        instance = Instance(tmp_path, receiver.endpoint)
        instance.run("wrap", "--", "false")
        until(lambda: len(receiver.requests) > len(down), why="one more try")
        until(lambda: list(instance.states().values()) == ["sent", "sent"], why="delivery of start and end")
        arrived = [
            event["messageId"] for request in receiver.requests[len(down) :] for event in request.batch
        ]
    assert len(arrived) == len(set(arrived)) == 2


def test_the_start_arrives_while_the_install_still_runs(tmp_path: Path) -> None:
    with Receiver() as receiver:
        instance = Instance(tmp_path, receiver.endpoint)
        with instance.started("wrap", "--", "tail", "-f", "/dev/null") as install:
            until(lambda: told(receiver) == ["Installation Started"], why="the start to arrive")
            assert install.poll() is None


CONTAINER = (
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)
FROM_A_DISC = """
mount -t tmpfs none disc && cd disc && "$@" && cd / && umount "$OLDPWD" && echo free
until grep -qs '[f]lush' /proc/[0-9]*/cmdline; do sleep 0.02; done && echo at work
"""


@pytest.mark.needs("unshare")
def test_what_the_install_stood_in_can_be_unmounted_while_it_is_delivered(tmp_path: Path) -> None:
    (tmp_path / "disc").mkdir()
    with Mute() as receiver:
        environment = environ.bare(
            tmp_path, ROLLCALL_STATE_DIR=str(tmp_path / "state"), ROLLCALL_ENDPOINT=receiver.endpoint
        )
        done = subprocess.run(
            [*CONTAINER, "sh", "-c", FROM_A_DISC, "x", *WRAP, "--", "true"],
            env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
    assert done.stdout == "free\nat work\n", done


@pytest.mark.needs("root")
def test_what_watches_stands_elsewhere_too(tmp_path: Path) -> None:
    """The witness of signals, and the watcher of steps. They may end a moment after the install."""
    script = tmp_path / "steps.sh"
    script.write_text("#!/bin/sh\necho here\nread _\n")
    script.chmod(0o755)
    argv = [*WRAP, "--", str(script)]
    environment = environ.covered(tmp_path, ROLLCALL_STATE_DIR=str(tmp_path / "state"))
    with subprocess.Popen(
        argv, env=environment, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as install:
        assert install.stdout is not None
        assert install.stdout.readline() == b"here\n"

        def places() -> list[str]:
            children = psutil.Process(install.pid).children()
            return sorted(os.readlink(f"/proc/{one.pid}/cwd") for one in children)

        until(lambda: places() == ["/", "/", str(tmp_path)], why="all but the install stand in /")
        install.communicate(b"\n")


@pytest.mark.parametrize("silent", [True, False])
def test_what_delivers_stands_elsewhere_and_finds_all_where_it_was(tmp_path: Path, silent: bool) -> None:
    """docker.env, a state directory and a key of relative names."""
    (tmp_path / "docker.env").write_text("ROLLCALL_STATE_DIR=state\nROLLCALL_WRITE_KEY_FILE=key\n")
    (tmp_path / "key").write_text("k\n")
    state = StateDir(str(tmp_path / "state"))
    says = "echo DO_NOT_TRACK=1 >>docker.env" if silent else "true"
    subprocess.run([*WRAP, "--", "sh", "-c", says], env=environ.covered(tmp_path), cwd=tmp_path, check=True)
    until(lambda: state.exists() and not os.listdir(state.runs), why="the run to be taken in, or let go of")
    assert os.path.exists(state.outbox) != silent
