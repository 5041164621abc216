"""The made-up year: the same for the same seed, and with its two disasters in it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from collector.admin import demo
from collector.base.events import BEAT, ERRORS, STARTED, Event
from collector.base.times import DAY_MS
from collector.cli import main
from collector.store import open_database
from collector.verbs.event_files import fleet_size

END = 20_000 * DAY_MS + 5


@pytest.fixture(scope="module")
def year() -> list[Event]:
    return list(demo.demo_events(80, 1, END, 1))


def test_the_same_seed_tells_the_same_year_and_another_one_another(year: list[Event]) -> None:
    assert list(demo.demo_events(80, 1, END, 1)) == year
    assert {event.id for event in demo.demo_events(80, 2, END, 1)}.isdisjoint(e.id for e in year)


def test_events_arrive_in_order_within_the_year_and_each_once(year: list[Event]) -> None:
    assert [e.received for e in year] == sorted(e.received for e in year)
    assert len({e.id for e in year}) == len(year)
    assert END - 366 * DAY_MS < min(e.time for e in year) <= max(e.time for e in year) <= END


def test_the_outage_is_a_dip_of_two_days(year: list[Event]) -> None:
    alive = Counter({day: len(who) for day, who in beats_by_day(year).items()})
    first = (END - demo.DAYS * DAY_MS + int(demo.OUTAGE[0] * demo.DAYS) * DAY_MS) // DAY_MS
    usual = alive[first - 7]
    assert usual > 10
    assert max(alive[first], alive[first + 1]) < 0.75 * usual
    assert alive[first + 7] > 0.9 * usual


def beats_by_day(year: list[Event]) -> dict[int, set[bytes | None]]:
    days: dict[int, set[bytes | None]] = {}
    for event in year:
        if event.name == BEAT:
            days.setdefault(event.time // DAY_MS, set()).add(event.who)
    return days


def test_the_bad_release_fails_more_often_than_it_succeeds() -> None:
    story = demo.Year(1, END)
    during = [e for e in demo.demo_events(400, 1, END, 1) if story.is_bad_release(e.time)]
    names = Counter(e.name for e in during)
    assert names[ERRORS] > 0.4 * names[STARTED] > 0


def test_the_verb_fills_a_source_and_a_second_time_says_so_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/demo.db"
    assert main(["demo-data", "--db", url, "--instances", "3", "--source", "toy"]) == 0
    assert "of 3 instances are in the source 'toy'" in capsys.readouterr().err
    tables = open_database(url)
    assert tables.all("SELECT COUNT(*) FROM instances") == [(3,)]
    tables.close()


@pytest.mark.parametrize("text", ["0", "-1", "x", "1000001", "²", ""])
def test_a_fleet_is_a_whole_number_of_instances(text: str) -> None:
    with pytest.raises(Exception, match="whole number"):
        fleet_size(text)
