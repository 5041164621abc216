"""Questions of a Monday about the fleet: versions, systems, who lives, what people use."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from collector.base.ids import as_uuid
from collector.base.times import DAY_MS, write_time
from collector.page.period import iso
from collector.page.render import span
from collector.page.views import usage
from tests.collector.page.made_fleet import BAD, CI_VERSION
from tests.collector.page.monday import FIRST, TODAY, Monday
from tests.collector.store.contract import plain
from tests.collector.store.contract.plain import PlainInstance

pytestmark = pytest.mark.once


@pytest.mark.parametrize("kind", ["version", "system"])
def test_versions_and_systems_over_time(monday: Monday, kind: str) -> None:
    shown = monday.json(f"/adoption.json?by={kind}")
    place = ["version", "system"].index(kind)
    days = {day: plain.words_on(monday.fleet, monday.runs, day)[place] for day in range(FIRST - 1, TODAY + 1)}
    now, week, start = days[TODAY], days[TODAY - 7], days[FIRST - 1]
    told = {row[kind]: row for row in shown["tables"]["words"]}
    assert set(told) == {word or "unknown" for word in {*+now, *+week, *+start}}
    for word, row in told.items():
        assert row["instances"] == now[word]
        assert row["share"] == round(now[word] / now.total(), 4)
        assert row["change_in_a_week"] == now[word] - week[word]
        assert row["change_in_the_period"] == now[word] - start[word]
    for row in shown["tables"]["over_time"]:
        day = FIRST + shown["tables"]["over_time"].index(row)
        assert sum(n for name, n in row.items() if name != "day") == days[day].total()
    new, back, lost = plain.came_and_left(monday.fleet)
    for name, counted in (("new", new), ("back", back), ("lost", lost)):
        assert shown[name] == sum(counted[day] for day in range(FIRST, TODAY + 1))
    assert now.total() - start.total() == shown["new"] + shown["back"] - shown["lost"]
    assert shown["lost"]


def test_versions_stand_in_the_order_of_their_releases_and_outliers_behind(monday: Monday) -> None:
    versions = [row["version"] for row in monday.json("/installs.json?period=quarter")["tables"]["versions"]]
    assert versions == [BAD, "1.9.0", "1.8.0", CI_VERSION]
    tables = monday.json("/adoption.json")["tables"]
    assert [row["version"] for row in tables["words"]] == versions
    assert [*tables["over_time"][0]] == ["day", *versions[:3], "all others"]
    marked = re.compile(
        f'{CI_VERSION}(</a>)? <span class="state" title="a version without a number[^"]*">outlier<'
    )
    for view in ("/installs", "/instances", "/adoption"):
        text = monday.client.get(f"{view}?period=quarter").text
        assert marked.search(text), view
        assert (text.count(">outlier<"), text.count("An outlier is a version without a number")) == (1, 1), (
            view
        )
    assert [row["version"] for row in monday.json("/instances.json")["tables"]["versions"]] == versions


def test_a_past_period_has_its_own_versions_and_states(monday: Monday) -> None:
    last = TODAY - 15
    shown = monday.json(f"/instances.json?to={iso(last)}")
    versions, systems = plain.words_on(monday.fleet, monday.runs, last)
    tables = shown["tables"]
    assert {row["version"]: row["instances"] for row in tables["versions"]} == versions
    assert {row["os"]: row["instances"] for row in tables["systems"]} == systems
    lasting = [one for one in monday.fleet if one.established and one.first // DAY_MS <= last]
    states = Counter(state_on(one, last) for one in lasting)
    assert shown["beating"] == states["beating"]
    assert shown["silent"] == states["silent"]
    assert shown["gone"] == states["gone"] + states["never"]
    assert min(states["beating"], states["silent"], states["gone"]) > 0
    told = {row["instance"]: row["state"] for row in tables["instances"]}
    assert told == {
        as_uuid(one.who): state_on(one, last) if one.first // DAY_MS <= last else "not yet"
        for one in monday.fleet
    }
    assert "Version now" in monday.client.get(f"/instances?to={iso(last)}").text


def state_on(one: PlainInstance, day: int) -> str:
    beats = [beat // DAY_MS for beat in one.beats if beat // DAY_MS <= day]
    if not beats:
        return "never"
    quiet = day - max(beats)
    return "beating" if quiet < 1 else "silent" if quiet < 30 else "gone"


def test_what_people_use(monday: Monday) -> None:
    shown = monday.json("/usage.json?event=Backup+Made")
    made = [event for event in monday.kept if event.name == "Backup Made"]
    mine = [event for event in made if FIRST <= event.time // DAY_MS <= TODAY]
    before = sum(FIRST - 35 <= event.time // DAY_MS <= TODAY - 35 for event in made)
    row = {"event": "Backup Made", "events": len(mine), "events_before": before}
    assert shown["tables"]["usage"] == [row]
    assert shown["instances_in_sample"] == len({event.who for event in mine})
    days = Counter(iso(event.time // DAY_MS) for event in mine)
    assert {row["day"]: row["events"] for row in shown["tables"]["over_time"] if row["events"]} == days
    values = Counter("full" if '"full"' in event.body else "part" for event in mine)
    assert {row["value"]: row["events"] for row in shown["tables"]["values"]} == values
    assert {row["property"] for row in shown["tables"]["values"]} == {"kind"}


def test_instances_and_values_of_usage_events_are_of_the_period(
    monday: Monday, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the page says of which part of it."""
    made = [event for event in monday.kept if event.name == "Backup Made"]
    made.sort(key=lambda event: event.time, reverse=True)
    at = f"/usage{{}}?from={iso(TODAY - 3)}&to={iso(TODAY - 2)}"
    mine = [event for event in made if TODAY - 3 <= event.time // DAY_MS <= TODAY - 2]
    assert 3 < len(mine) < len(made)
    shown = monday.json(at.format(".json"))
    assert (shown["sample"], shown["instances_in_sample"]) == (len(mine), len({event.who for event in mine}))
    assert sum(row["events"] for row in shown["tables"]["values"]) == len(mine)
    assert f"The {len(mine)} events of this period came from" in monday.client.get(at.format("")).text
    monkeypatch.setattr(usage, "SAMPLE", 3)
    shown = monday.json(at.format(".json"))
    assert shown["instances_in_sample"] == len({event.who for event in mine[:3]})
    assert (shown["sample_from"], shown["sample_to"]) == (write_time(mine[2].time), write_time(mine[0].time))
    text = monday.client.get(at.format("")).text
    assert f"Of the {len(mine)} events of this period, the latest 3, from <time" in text


def test_a_run_that_does_not_say_how_long_it_took_is_measured_by_its_start_and_end(monday: Monday) -> None:
    ended = next(run for run in monday.runs if run.started and run.ended)
    took = span((ended.ended or 0) - (ended.started or 0))
    text = monday.client.get(f"/installs?state={ended.state}").text
    row = text.split(f'<th scope="row"><a href="/run/{as_uuid(ended.key)}')[1].split("</tr>")[0]
    assert f'<td class="num">{took}</td>' in row
    assert f", after {took}" in monday.client.get(f"/run/{as_uuid(ended.key)}").text


def test_usage_events_lead_to_what_is_known_of_them_and_to_their_list(monday: Monday) -> None:
    for view in ("/", "/usage"):
        text = monday.client.get(view).text
        assert 'href="/usage?event=Backup+Made"' in text
        assert 'href="/events?event=Backup+Made"' in text
    assert "Value of kind</th>" in monday.client.get("/usage").text


def test_who_lives_is_said_in_one_sentence_and_listed(monday: Monday) -> None:
    for kind, word in (("version", BAD), ("system", "debian 12")):
        shown = monday.json(f"/adoption.json?by={kind}")
        living = sum(row["instances"] for row in shown["tables"]["words"])
        more = shown["new"] + shown["back"] - shown["lost"]
        assert more > 0
        text = monday.client.get(f"/adoption?by={kind}").text
        assert f"{living} instances live, {more} more than before the period." in text
        link = f"/instances?state=active&amp;{kind}={word.replace(' ', '+')}#list"
        assert f'href="{link}">{word}<' in text
    then = monday.client.get(f"/adoption?to={iso(TODAY - 40)}").text
    assert "at the end of the period" in then
    assert "state=active" not in then
