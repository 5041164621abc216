"""The questions of a Monday, answered by the page as plain Python answers them over the same events."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import pytest

from collector.admin.keys import source_named
from collector.base.events import Event
from collector.base.ids import as_uuid
from collector.base.times import DAY_MS, write_time
from collector.ingest import decode
from collector.page.charts import short_day
from collector.page.frame import NAVIGATION, QUESTIONS
from collector.page.period import iso
from collector.page.queries import help as help_queries
from collector.page.render import percent, span
from collector.page.views import since, support, usage
from collector.store import Stores, open_stores
from collector.store.runs import Place
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.made_fleet import BAD, BAD_STEP, CI_VERSION, GONE_STEP, made_fleet
from tests.collector.store.contract import plain
from tests.collector.store.contract.plain import PlainInstance, PlainRun

pytestmark = pytest.mark.once

TODAY = NOW // DAY_MS
FIRST = TODAY - 29
Row = dict[str, Any]
TABLES_OF_SINCE = ("new", "grew", "gone", "still")
# A row of steps: the list that both of its numbers lead to, its instances and its runs.
STEP_NUMBERS = re.compile(
    r'<td class="num"><a href="([^"]*)#runs">(\d+)</a></td>'
    r'<td class="num"><a href="\1#runs">(\d+)</a></td><td><d'
)


class Monday:
    """A page over a made-up fleet, and the same events read plainly."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        with stores.control.transaction() as tx:
            source = source_named(tx, "product", 0)
        sent = [decode.read_event(one, "", source, NOW) for one in made_fleet(200)]
        self.kept: list[Event] = list({event.id: event for event in sent}.values())
        stores.events.keep(sent)
        assert len(self.kept) < len(sent)  # clones say some things twice
        while stores.events.fold():
            pass
        self.client = PageClient(stores)
        self.fleet: list[PlainInstance] = plain.instances_of(self.kept)
        self.runs: list[PlainRun] = sorted(plain.runs_of(self.kept), key=lambda run: -(run.began or 0))

    def json(self, address: str) -> Any:
        reply = self.client.get(address)
        assert reply.status == 200, reply.text
        return reply.json()

    def failed(self, *versions: str) -> list[PlainRun]:
        return [run for run in self.runs if run.place and run.version in versions]


@pytest.fixture(scope="module")
def monday(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monday]:
    with closing(open_stores(f"sqlite:///{tmp_path_factory.mktemp('monday')}/page.db")) as stores:
        yield Monday(stores)


def places(rows: list[Row]) -> set[tuple[Any, ...]]:
    return {(row["script"], int(row["line"]), row["command"], int(row["end"])) for row in rows}


def test_what_broke_since_the_release(monday: Monday) -> None:
    shown = monday.json("/since.json")
    assert (shown["version"], shown["before"], shown["meaning"]) == (BAD, "1.9.0", "worse")
    mine = [run for run in monday.runs if run.version == BAD]
    assert shown["released"] == iso(min(run.began or 0 for run in mine) // DAY_MS)
    states = Counter(run.state for run in mine)
    rate = states["succeeded"] / (len(mine) - states["running"])
    assert shown["success_rate"]["value"] == pytest.approx(rate)
    assert shown["success_rate"]["low"] < rate < shown["success_rate"]["high"]
    tables = shown["tables"]
    assert places(tables["new"]) == {BAD_STEP}
    assert places(tables["gone"]) == {GONE_STEP}
    failed = [run for run in monday.failed(BAD) if run.place and run.place.script == BAD_STEP[0]]
    assert tables["new"][0]["runs"] == len(failed)
    assert tables["new"][0]["instances"] == len({run.who for run in failed})
    assert CI_VERSION not in monday.client.get("/since").text
    assert "fail more often" in monday.client.get("/since").text


def test_the_overview_begins_with_how_the_latest_release_does(monday: Monday) -> None:
    said, judged = monday.json("/overview.json")["latest_release"], monday.json("/since.json")
    assert (said["version"], said["before"], said["meaning"]) == (BAD, "1.9.0", "worse")
    for name in ("success_rate", "success_rate_before"):
        assert said[name] == judged[name]["value"]
    text = monday.client.get("/").text
    now, then = (percent(said[name]) for name in ("success_rate", "success_rate_before"))
    line = (
        f'<p class="call bad"><a href="/since">{BAD}: {now} of installs succeed, was {then} with 1.9.0.</a>'
    )
    assert 0 < text.index(line) < text.index("Active instances</h2>")
    past = monday.client.get(f"/?period=month&to={iso(TODAY - 40)}").text
    assert '<p class="call"><a href="/since?period=month&amp;to=' in past
    assert "chance explains the difference" in past.partition("Active instances</h2>")[0]


def test_a_number_stands_beside_that_of_days_that_are_named(monday: Monday) -> None:
    text = monday.client.get("/").text
    days = f"{short_day(FIRST - 35)} – {short_day(TODAY - 35)}"
    assert f"{days}, 5 weeks earlier: as many days, and the same weekdays" in text
    assert text.count(f"{days}: ") == 5
    assert "a week earlier: " in monday.client.get("/?period=week").text


def test_a_failure_of_both_releases_has_the_share_of_each(monday: Monday) -> None:
    began = min(run.began or 0 for run in monday.runs if run.version == "1.9.0") // DAY_MS * DAY_MS
    ended = Counter(
        run.version for run in monday.runs if run.state != "running" and (run.began or 0) >= began
    )
    tables = monday.json("/since.json")["tables"]
    rows = [row for name in ("grew", "still") for row in tables[name]]
    for line, before in (("51", "45"), ("201", "195")):  # it stands lower in the release before
        row = next(row for row in rows if row["line"] == line)
        for share, version, at in (("share", BAD, line), ("share_before", "1.9.0", before)):
            runs = [run for run in monday.failed(version) if run.place and run.place.line == at]
            assert row[share] == round(len(runs) / ended[version], 4), (line, version)
    text = monday.client.get("/since").text
    assert f"In {BAD}</th>" in text
    assert f"of {ended[BAD]}</small>" in text


@pytest.mark.parametrize("version", [BAD, "1.9.0"])
def test_a_release_that_fails_often_leaves_room_for_those_before_it(
    monday: Monday, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """What is read is bounded, and what failed before is not called new."""
    everything = monday.json(f"/since.json?version={version}")
    most = 15
    monkeypatch.setattr(since, "MOST_FAILED", most)
    shown = monday.json(f"/since.json?version={version}")
    for name in TABLES_OF_SINCE:
        assert places(shown["tables"][name]) == places(everything["tables"][name]), name
    assert 2 * most <= shown["failures_read"] <= 3 * most < everything["failures_read"]
    assert f"Failures are those of the latest {most} failed" in monday.client.get("/since").text


def test_a_release_of_the_past_is_judged_without_what_came_later(monday: Monday) -> None:
    shown = monday.json("/since.json?version=1.9.0")
    assert (shown["before"], shown["meaning"]) == ("1.8.0", "noise")
    rows = [row for name in TABLES_OF_SINCE for row in shown["tables"][name]]
    assert BAD_STEP not in places(rows)
    assert sum(row["runs"] for row in rows) == len(monday.failed("1.8.0", "1.9.0"))
    assert monday.client.get("/since?version=7").status == 404
    early = monday.client.get(f"/since?version={BAD}&to={iso(TODAY - 40)}")
    assert (early.status, f"No install of {BAD} had reported" in early.text) == (200, True)


def test_who_is_stuck(monday: Monday) -> None:
    rows = monday.json("/stuck.json?period=quarter")["tables"]["runs"]
    last: dict[bytes, PlainRun] = {}
    for run in monday.runs:
        last.setdefault(run.who, run)
    stuck = [run for run in reversed(last.values()) if run.state in ("failed", "given up")]
    assert [(row["instance"], row["state"]) for row in rows] == [
        (as_uuid(run.who), run.state) for run in stuck
    ]
    assert [row["asked_for_help"] for row in rows] == [
        write_time(run.asked) if run.asked else None for run in stuck
    ]
    assert {row["state"] for row in rows} == {"failed", "given up"}
    assert any(row["asked_for_help"] for row in rows)
    text = monday.client.get("/stuck?period=quarter").text
    longest = max(NOW - (run.ended or run.began or 0) for run in stuck)
    assert f"{len(stuck)} instances are stuck, the longest for {span(longest)}; " in text
    assert "before this period" not in text
    assert 'href="/support?period=quarter&amp;show=waiting"' in text
    newest = monday.json("/stuck.json?period=quarter&runs.sort=-began")["tables"]["runs"]
    assert newest == rows[::-1]
    only = monday.json("/stuck.json?period=quarter&version=1.9.0&system=debian+12")["tables"]["runs"]
    assert len(only) == sum((r.version, r.os) == ("1.9.0", "debian") for r in stuck)


def test_who_was_stuck_before_the_period_is_counted_and_one_click_away(monday: Monday) -> None:
    whole = monday.json("/stuck.json?period=quarter")["tables"]["runs"]
    week = monday.json("/stuck.json?period=week")
    assert week["stuck_before_at_least"] == len(whole) - len(week["tables"]["runs"]) > 1
    assert week["counted_all_before"]
    text = monday.client.get("/stuck?period=week&version=&system=").text
    first = next(run for run in monday.runs if as_uuid(run.who) == whole[0]["instance"])
    longest = NOW - (first.ended or first.began or 0)
    told = f"{week['stuck_before_at_least']} more have been stuck since before this period, the longest for"
    assert f"{told} {span(longest)}: <a href=" in text
    link = html.unescape(text.split(told)[1].split('<a href="')[1].split('"')[0])
    shown = monday.client.get(link).text
    assert f"{len(whole)} instances are stuck, the longest for {span(longest)}" in shown
    assert "before this period" not in shown


def test_requests_for_help_say_whose_install_still_fails(
    monday: Monday, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [run for run in monday.runs if run.asked]
    last = {run.who: run for run in reversed(monday.runs)}
    stuck = Counter(last[run.who].state in ("failed", "given up") for run in asked)
    oldest = min(run.asked or 0 for run in asked)
    shown = monday.json("/support.json")
    assert (shown["waiting"], shown["still_stuck_at_least"]) == (len(asked), stuck[True])
    assert shown["oldest"] == write_time(oldest)
    rows = shown["tables"]["requests"]
    assert Counter(row["still_stuck"] for row in rows) == {"yes": stuck[True], "no": stuck[False]}
    told = {row["run"]: (row["instance"], row["version"]) for row in rows}
    assert told == {as_uuid(run.key): (as_uuid(run.who), run.version) for run in asked}
    text = monday.client.get("/support").text
    said = f"{len(asked)} open requests, {stuck[True]} still stuck, the oldest {span(NOW - oldest)} old."
    assert said in text
    assert text.count(" stuck</span>") == min(len(asked), 50)
    some = [row["run"] for row in rows if row["still_stuck"] == "yes"]
    for sort, runs in (("", some), ("&requests.sort=asked", some), ("&requests.sort=-asked", some[::-1])):
        at = f"/support{{}}?show=still+stuck{sort}"
        assert [row["run"] for row in monday.json(at.format(".json"))["tables"]["requests"]] == runs
        assert re.findall(r'href="/run/([^"]*)', monday.client.get(at.format("")).text) == runs
        assert monday.client.get(at.format(".csv")).text.count("\n") == len(some) + 1
    monkeypatch.setattr(support, "PAGE_ROWS", len(some) - 1)
    (further,) = re.findall(
        r'href="([^"]*before=[^"]*)"', monday.client.get("/support?show=still+stuck").text
    )
    end = monday.client.get(html.unescape(further)).text
    assert re.findall(r'href="/run/([^"]*)', end) == some[-1:]
    monkeypatch.setattr(help_queries, "STUCK_PIECE", 1)
    monkeypatch.setattr(help_queries, "STUCK_PIECES", 2)
    rows = monday.json("/support.json")["tables"]["requests"]
    assert {row["still_stuck"] for row in rows} <= {"yes", None}
    assert "open requests, at least " in monday.client.get("/support").text


def test_which_step_hurts_most_across_versions_whose_lines_moved(monday: Monday) -> None:
    shown = monday.json("/steps.json?period=quarter")
    rows = shown["tables"]["steps"]
    failed = monday.failed("1.8.0", "1.9.0", BAD)
    moved = {"1.8.0": 42, "1.9.0": 45, BAD: 51}
    near = [run for run in failed if run.place and run.place.line == str(moved[run.version])]
    row = next(row for row in rows if row["line"] == "51")
    assert (row["runs"], row["instances"], row["versions"]) == (len(near), len({r.who for r in near}), 3)
    assert len(rows) == 4
    assert sum(row["runs"] for row in rows) == len(failed)
    assert [row["instances"] for row in rows] == sorted((row["instances"] for row in rows), reverse=True)
    by_version = {
        row["version"]: (row["line"], row["runs"])
        for row in shown["tables"]["by_version"]
        if (row["command"], int(row["line"]) < 100) == ("curl", True)
    }
    counted = Counter(run.version for run in near)
    assert by_version == {version: (str(line), counted[version]) for version, line in moved.items()}
    systems = Counter(f"{run.os} {run.os_version}" for run in failed)
    told = Counter[str]()
    for one in shown["tables"]["by_system"]:
        told[one["os"]] += one["runs"]
    assert told == systems


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


def test_numbers_lead_to_their_rows(monday: Monday) -> None:
    table = monday.json("/installs.json?period=quarter")["tables"]
    for kind, column in (("versions", "version"), ("systems", "os")):
        for row in table[kind]:
            word = f"{'version' if kind == 'versions' else 'system'}={row[column]}&period=quarter"
            for state, name in (("failed", "failed"), ("given up", "given_up"), ("", "started")):
                runs = monday.json(f"/installs.json?table=runs&state={state}&{word}")["tables"]["runs"]
                assert len(runs) == row[name], (row, state)
    assert monday.client.get("/installs?state=lost").status == 400
    linked = monday.client.get("/installs?period=quarter").text
    assert 'href="/installs?period=quarter&amp;state=failed&amp;version=1.9.0#latest"' in linked


@pytest.mark.parametrize(
    "view", ["/steps?period=week", "/steps?period=quarter", "/since", "/since?period=day"]
)
def test_the_numbers_of_each_step_lead_to_its_runs(monday: Monday, view: str) -> None:
    """Also of one whose line moved; and in a period of its own, since the release before."""
    text = monday.client.get(view).text
    links = STEP_NUMBERS.findall(text)
    folded, open_at_first = (
        text.count('<details class="spread">'),
        text.count('<details class="spread" open>'),
    )
    assert len(links) == folded + open_at_first
    assert open_at_first == view.startswith("/steps")
    for path, who, n in links:
        runs = monday.json(html.unescape(path).replace("/failure", "/failure.json"))["tables"]["runs"]
        assert (len({run["instance"] for run in runs}), len(runs)) == (int(who), int(n)), path
    assert ("also=" in text) == ("week" not in view)


def test_a_step_whose_line_moved_has_a_page_of_its_own(monday: Monday) -> None:
    moved = {"1.8.0": 42, "1.9.0": 45, BAD: 51}
    near = [run for run in monday.failed(*moved) if run.place and run.place.line == str(moved[run.version])]
    step = "script=install.sh&command=curl&end=6&line=51&also=45+42&period=quarter"
    shown = monday.json(f"/failure.json?{step}")
    assert (shown["line"], shown["runs"], shown["instances"]) == ("51", len(near), len({r.who for r in near}))
    assert shown["last_seen"] == write_time(max(run.ended or 0 for run in near))
    assert shown["first_seen"] == write_time(min(run.ended or 0 for run in near))
    assert sum(row["failed"] for row in shown["tables"]["over_time"]) == len(near)
    for sort in ("began", "-began"):
        runs = monday.json(f"/failure.json?{step}&runs.sort={sort}")["tables"]["runs"]
        assert [run["began"] for run in runs] == sorted((r["began"] for r in runs), reverse=sort[0] == "-")
        assert len(runs) == len(near)
    assert "line 45, 42 in other versions" in monday.client.get(f"/failure?{step}").text
    pages, address = list[str](), f"/failure?{step}"
    while address:
        text = monday.client.get(address).text
        pages += re.findall(r'href="(/run/[^"?]*)', text)
        further = re.search(r'<p class="more"><a href="([^"#]*)', text)
        address = html.unescape(further[1]) if further else ""
    assert len(pages) == len(set(pages)) == len(near)
    assert monday.client.get("/failure?script=install.sh&line=7&also=8").status == 404


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


@pytest.mark.parametrize("path", ["/", "/since", "/stuck", *(path for path, _ in NAVIGATION[1:])])
def test_each_question_is_one_click_from_every_page_and_stands_above_its_content(
    monday: Monday, path: str
) -> None:
    with monday.stores.control.transaction() as tx:
        source_named(tx, "new", 0)
    for source in ("product", "new"):
        text = monday.client.get(f"{path}?source={source}").text
        tabs, rest = text.split('aria-label="Questions">')[1].split("</nav>", 1)
        for question, more, words in QUESTIONS:
            address = html.escape(f"{question}?{urlencode({'source': source, **more})}")
            assert f'href="{address}"' in tabs
            assert f">{words}</a>" in tabs
        assert tabs.count("aria-current") == (path in ("/since", "/stuck"))
        assert "<h1>" in rest
        assert ('aria-label="How to send"' in rest) == (source == "new")


def test_an_empty_source_has_an_answer_to_each_question(monday: Monday) -> None:
    with monday.stores.control.transaction() as tx:
        source_named(tx, "new", 0)
    for path in ("/since", "/stuck", "/steps", "/adoption", "/usage"):
        for suffix in ("", ".json", ".csv"):
            assert monday.client.get(f"{path}{suffix}?source=new").status == 200


def test_a_table_is_sorted_searched_and_paged_by_its_address(monday: Monday) -> None:
    address = "/installs{}?period=quarter&systems.sort={}&systems.find={}"
    for sort in ("failed", "-failed", "os", "-os"):
        rows = monday.json(address.format(".json", sort, ""))["tables"]["systems"]
        column = sort.removeprefix("-")
        assert rows == sorted(rows, key=lambda row: row[column], reverse=sort[0] == "-"), column
        assert f'aria-sort="{"descending" if sort[0] == "-" else "ascending"}"' in (
            monday.client.get(address.format("", sort, "")).text
        )
    found = monday.json(address.format(".json", "", "UBU"))["tables"]["systems"]
    assert [row["os"] for row in found] == ["ubuntu 24.04"]
    assert "1 of 3 match" in monday.client.get(address.format("", "", "ubu")).text
    assert monday.client.get("/installs?systems.sort=nothing&systems.page=x").status == 200


def test_a_place_that_failed_opens_from_each_step(monday: Monday) -> None:
    for row in monday.json("/steps.json?period=quarter")["tables"]["by_version"]:
        place = Place(row["script"], row["line"], row["command"], row["end"])
        query = f"script={place.script}&line={place.line}&command={place.command}&end={place.end}"
        runs = monday.json(f"/failure.json?{query}&period=quarter")["tables"]["runs"]
        assert sum(run["version"] == row["version"] for run in runs) == row["runs"]
