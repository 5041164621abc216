"""Simulated days without an endpoint: a real outbox, real HTTP, a simulated clock."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.delivery.outages import Outages, RealChildren, environment, running
from tests.agent.heartbeat.lives import HOUR, INTERVAL

DAY = 24 * HOUR


@pytest.fixture
def receiver() -> Iterator[Outages]:
    with running() as server:
        yield server


@pytest.fixture
def life(tmp_path: Path, receiver: Outages) -> RealChildren:
    one = RealChildren(environ=environment(tmp_path, receiver))
    receiver.clock = lambda: one.true
    return one


def test_every_beat_of_three_days_without_an_endpoint_arrives_once(
    life: RealChildren, receiver: Outages
) -> None:
    life.run(DAY)
    assert len(receiver.messages) == 4
    receiver.down = True
    life.run(3 * DAY)
    assert len(receiver.messages) == 4
    assert receiver.turned_away < 3 * 24 * 6, "no storm of tries"
    receiver.down = False
    life.run(INTERVAL + HOUR)
    assert len(life.beats) == len(receiver.messages) >= 17
    assert len(set(receiver.messages)) == len(receiver.messages)


def test_a_database_deleted_under_it_costs_no_later_beat(
    life: RealChildren, receiver: Outages, tmp_path: Path
) -> None:
    life.run(HOUR)
    (tmp_path / "state/outbox.db").unlink()
    (tmp_path / "state/instance.json").write_bytes(b"\0damaged")
    life.run(DAY)
    assert len(receiver.messages) == 5
    life.disk = None
    life.stop(30)
    life.run(HOUR)
    assert len(set(receiver.messages)) == len(receiver.messages)


@pytest.mark.parametrize("seed", range(5))
def test_a_dead_endpoint_costs_at_most_eight_tries_a_day_after_the_first_and_one_line(
    seed: int, tmp_path: Path, receiver: Outages
) -> None:
    """A heartbeat's own flush counts too."""
    life = RealChildren(seed=seed, environ=environment(tmp_path, receiver))
    receiver.clock = lambda: life.true
    receiver.down = True
    life.run(11 * DAY)
    days = [sum(day * DAY <= at < (day + 1) * DAY for at in receiver.tries) for day in range(1, 11)]

    assert max(days) <= 8, days
    assert min(days) >= 3, "it goes on trying"
    assert len(receiver.tries) - sum(days) < 30, "the first day"
    assert life.said.count("\n") == 1, life.said
    assert life.logged == ["sending"]
    receiver.down = False
    life.run(INTERVAL + HOUR)
    assert len(life.beats) == len(set(receiver.messages)) == len(receiver.messages)
