"""kill -9 of wrapper, CMD, witness and delivery at random moments: one true story a run.

CMD writes its own truth: `started` when it begins, `done` just before it ends by itself.
"""

import os
import random
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests import environ
from tests.e2e.wrap.side_by_side import WRAP
from tests.receiver import Receiver
from tests.verbs import AGENT
from tests.wait import PATIENCE, until

CODE = 3
CMD = f'echo >"$0.started"; sleep "$1"; echo >"$0.done"; exit {CODE}'


@dataclass
class Truth:
    """What happened in a run, whatever was reported."""

    started: bool
    done: bool
    ended: int


def test_one_true_story_a_run(tmp_path: Path, *, slow: bool) -> None:
    kills, chance = (200 if slow else 20), random.Random(4)
    with Receiver() as receiver:
        environment = environ.bare(  # a killed process leaves half a file of coverage data behind
            tmp_path, ROLLCALL_STATE_DIR=str(tmp_path / "state"), ROLLCALL_ENDPOINT=receiver.endpoint
        )
        began = time.monotonic()
        truths = [one_run(environment, tmp_path / "whole")]
        whole = time.monotonic() - began
        for n in range(10 * kills):
            if n >= kills and any(truth.started and not truth.done for truth in truths):
                break
            truths.append(one_run(environment, tmp_path / str(n), whole, chance))
        until(lambda: not list(left(tmp_path)), why="the last delivery's end")
        settle(environment)
        heard = stories(event for request in receiver.requests for event in request.batch)
    told = stories(log(environment))
    assert heard == told
    possible = [truth for truth in truths if truth.started or truth.ended == -signal.SIGKILL]
    assert len([t for t in truths if t.started]) <= len(told) <= len(possible)
    for story in told.values():
        assert [event for event, _ in story] == ["Installation Started", "Installation Errors"], story
    reasons = [story[1][1] for story in told.values()]
    # Who saw the wrapper end with CMD's code, or with CMD's death, finds just that on record.
    assert reasons.count("exit") >= len([truth for truth in truths if truth.ended == CODE])
    assert reasons.count("exit") <= len([truth for truth in truths if truth.done])
    assert set(reasons) <= {"exit", "signal", "interrupted"}
    assert len(set(reasons)) > 1, "the kills hit nothing"


def one_run(
    environment: dict[str, str], mark: Path, whole: float = 0.2, chance: random.Random | None = None
) -> Truth:
    """A wrapped CMD, and, given a chance, a kill somewhere while it, or its delivery, is under way.

    A whole run takes `whole` seconds on this machine now. CMD sleeps half of it, so that kills hit CMD too.
    """
    with subprocess.Popen(
        [*WRAP, "--", "sh", "-c", CMD, str(mark), str(whole / 2)],
        env=environment,
        stderr=subprocess.DEVNULL,
    ) as process:
        if chance:
            if early := chance.random() < 0.5:  # so that however slow the machine is, CMD is hit too
                until(lambda: mark.with_suffix(".started").exists())
            with suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0, whole * (0.75 if early else 2)))
            if victims := [*family(process), *flushes(mark.parent)]:
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(victims), signal.SIGKILL)
        process.wait(PATIENCE)
    return Truth(
        mark.with_suffix(".started").exists(), mark.with_suffix(".done").exists(), process.returncode
    )


def family(process: subprocess.Popen[bytes]) -> list[int]:
    """The wrapper and its children, as long as the wrapper was not waited for."""
    if process.poll() is not None:
        return []
    with suppress(OSError):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        return [process.pid, *map(int, children.split())]
    return []


def flushes(home: Path) -> Iterator[int]:
    """The processes that deliver what this test's wrappers left."""
    for pid in left(home):
        with suppress(OSError):
            if b"flush" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                yield pid


def left(home: Path) -> Iterator[int]:
    """All that this test's wrappers started, and what is about to deliver too."""
    mine = f"HOME={home}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mine in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)


def settle(environment: dict[str, str]) -> None:
    agent = [*AGENT, "flush", "--budget", "30"]
    until(lambda: subprocess.run(agent, env=environment, capture_output=True, check=False).returncode == 0)


def log(environment: dict[str, str]) -> Iterator[dict[str, object]]:
    import json

    agent = [*AGENT, "log", "--json", "-n", "10000"]
    done = subprocess.run(agent, env=environment, capture_output=True, check=True)
    for line in done.stdout.splitlines():
        entry = json.loads(line)
        assert entry["state"] == "sent", entry
        yield entry["event"]


def stories(events: Iterator[dict[str, object]]) -> dict[str, list[tuple[object, object]]]:
    """By installation: its events and their reasons, each messageId once, in the order of their ids."""
    found: dict[str, dict[str, tuple[object, object]]] = defaultdict(dict)
    for event in events:
        context, properties = event["context"], event["properties"]
        assert isinstance(context, dict)
        assert isinstance(properties, dict)
        told = (event["event"], properties.get("reason"))
        before = found[context["installation"]["id"]].setdefault(str(event["messageId"]), told)
        assert before == told, "one messageId said two things"
    return {
        run: sorted(story.values(), key=lambda one: one[0] != "Installation Started")
        for run, story in found.items()
    }
