"""What a wrapped install says arrives by itself: no other verb has to be run."""

from pathlib import Path

import pytest

from tests.instance import Instance
from tests.receiver import Receiver
from tests.wait import until


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
        until(lambda: end in told(receiver), 60, f"{end} to arrive")
        assert set(told(receiver)) == {"Installation Started", end}


def test_the_start_arrives_while_the_install_still_runs(tmp_path: Path) -> None:
    with Receiver() as receiver:
        instance = Instance(tmp_path, receiver.endpoint)
        with instance.started("wrap", "--", "tail", "-f", "/dev/null") as install:
            until(lambda: told(receiver) == ["Installation Started"], 60, "the start to arrive")
            assert install.poll() is None
