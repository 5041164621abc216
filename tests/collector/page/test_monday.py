"""The questions of a Monday, answered by the page as plain Python answers them over the same events."""

from __future__ import annotations

import html
import re
from collections import Counter
from typing import Any

import pytest

from collector.base.ids import as_uuid
from collector.base.times import DAY_MS, write_time
from collector.page.charts import short_day
from collector.page.period import iso
from collector.page.queries import help as help_queries
from collector.page.render import percent, span
from collector.page.views import run_list, since, support
from tests.collector.page.client import NOW
from tests.collector.page.made_fleet import BAD, BAD_STEP, CI_VERSION, GONE_STEP
from tests.collector.page.monday import FIRST, TODAY, Monday, Row
from tests.collector.store.contract.plain import PlainRun

pytestmark = pytest.mark.once

TABLES_OF_SINCE = ("new", "grew", "gone", "still")


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


@pytest.mark.parametrize("sort", ["", "&runs.sort=-began"])
def test_each_page_of_who_is_stuck_counts_all(
    monday: Monday, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = f"/stuck?period=quarter{sort}"
    whole = re.findall(r'href="/run/([^"]*)', monday.client.get(at).text)
    told = f"{len(whole)} instances are stuck, the longest for "
    monkeypatch.setattr(run_list, "PAGE_ROWS", len(whole) - 1)
    first = monday.client.get(at).text
    (further,) = re.findall(r'href="([^"]*before=[^"]*)"', first)
    last = monday.client.get(html.unescape(further)).text
    assert re.findall(r'href="/run/([^"]*)', last) == whole[-1:]
    assert told in first
    assert told in last


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
