"""From each number of a Monday to what it counts, and from each page to each question."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest

from collector.admin.keys import source_named
from collector.base.times import write_time
from collector.page.frame import NAVIGATION, QUESTIONS
from collector.store.runs import Place
from tests.collector.page.made_fleet import BAD
from tests.collector.page.monday import Monday

pytestmark = pytest.mark.once

# A row of steps: the list that both of its numbers lead to, its instances and its runs.
STEP_NUMBERS = re.compile(
    r'<td class="num"><a href="([^"]*)#runs">(\d+)</a></td>'
    r'<td class="num"><a href="\1#runs">(\d+)</a></td><td><d'
)


@pytest.fixture
def new_source(monday: Monday) -> Iterator[str]:
    """A source without events. It goes with the test: beside another one, every link names its source."""
    with monday.stores.control.transaction() as tx:
        number = source_named(tx, "new", 0)
    yield "new"
    with monday.stores.control.transaction() as tx:
        tx.execute("DELETE FROM sources WHERE id = ?", number)


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


@pytest.mark.parametrize("path", ["/", "/since", "/stuck", *(path for path, _ in NAVIGATION[1:])])
def test_each_question_is_one_click_from_every_page_and_stands_above_its_content(
    monday: Monday, new_source: str, path: str
) -> None:
    for source in ("product", new_source):
        text = monday.client.get(f"{path}?source={source}").text
        tabs, rest = text.split('aria-label="Questions">')[1].split("</nav>", 1)
        for question, more, words in QUESTIONS:
            address = html.escape(f"{question}?{urlencode({'source': source, **more})}")
            assert f'href="{address}"' in tabs
            assert f">{words}</a>" in tabs
        assert tabs.count("aria-current") == (path in ("/since", "/stuck"))
        assert "<h1>" in rest
        assert ('aria-label="How to send"' in rest) == (source == new_source)


def test_an_empty_source_has_an_answer_to_each_question(monday: Monday, new_source: str) -> None:
    for path in ("/since", "/stuck", "/steps", "/adoption", "/usage"):
        for suffix in ("", ".json", ".csv"):
            assert monday.client.get(f"{path}{suffix}?source={new_source}").status == 200


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
    for page in ("x", "\u00b2", "\u0663", "-1", "9" * 5000):
        assert monday.client.get(f"/installs?systems.sort=nothing&systems.page={quote(page)}").status == 200


def test_a_place_that_failed_opens_from_each_step(monday: Monday) -> None:
    for row in monday.json("/steps.json?period=quarter")["tables"]["by_version"]:
        place = Place(row["script"], row["line"], row["command"], row["end"])
        query = f"script={place.script}&line={place.line}&command={place.command}&end={place.end}"
        runs = monday.json(f"/failure.json?{query}&period=quarter")["tables"]["runs"]
        assert sum(run["version"] == row["version"] for run in runs) == row["runs"]
