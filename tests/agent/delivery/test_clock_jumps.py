"""A thousand jumps of the wall clock: log, queue and schedule stay sound; nothing is lost or sent twice."""

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.base.ids import uuid4, uuid7
from agent.base.statedir import StateDir
from agent.delivery.backoff import LONGEST_WAIT
from agent.outbox.outbox import read_outbox
from tests.agent.delivery.outages import RealChildren, environment, running
from tests.agent.heartbeat.lives import HOUR, LONGEST_SILENCE
from tests.agent.runs.texts import run_text

YEAR_2100 = 4_102_444_800
JUMPS = 100
Jump = tuple[int, int, bool, bool]
"""What the clock is set to, for how many minutes, whether the receiver is up, whether an install ends."""
jumps = st.tuples(st.integers(0, YEAR_2100), st.integers(0, 60), st.booleans(), st.booleans())


@settings(max_examples=10)  # of a hundred jumps each
@given(st.lists(jumps, min_size=JUMPS, max_size=JUMPS))
def test_a_thousand_clock_jumps_lose_nothing_and_send_nothing_twice(history: list[Jump]) -> None:
    with tempfile.TemporaryDirectory() as home, running() as receiver:
        life = RealChildren(environ=environment(Path(home), receiver))
        installs = []
        for wall, minutes, up, install in history:
            life.wall_ahead = wall - life.boot
            receiver.down = not up
            if install:
                installs.append(leave_run(Path(home) / "state" / "runs", wall, receiver.url))
            life.run(minutes * 60.0)
        receiver.down = False
        life.run(LONGEST_WAIT + HOUR)

        with read_outbox(StateDir(f"{home}/state")) as outbox:
            assert outbox is not None
            entries = outbox.entries()
    assert {entry.state for entry in entries} == {"sent"}
    assert len(receiver.messages) == len(set(receiver.messages)), "nothing twice"
    assert {entry.message_id for entry in entries} == set(receiver.messages), "the log has all of it"
    assert len(entries) == len(life.beats) + 2 * len(installs), "nothing lost"
    assert max(life.gaps()) <= LONGEST_SILENCE
    assert all(json.loads(entry.payload or "")["timestamp"] <= "2101" for entry in entries)


def leave_run(runs: Path, wall: float, endpoint: str) -> str:
    runs.mkdir(parents=True, exist_ok=True)
    run = uuid4()
    ids = {f"{name}-id": uuid7(wall) for name in ("started", "ended", "support")}
    text = run_text(
        "begun", f"ended {wall}.000 102.000 exit 3", id=run, time=f"{wall}.000", endpoint=endpoint, **ids
    )
    (runs / f"{run}.run").write_text(text)
    return run
