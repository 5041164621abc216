"""What broke since a release: what is said of it, and of how few it is not."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

from collector.base.times import DAY_MS, write_time
from collector.page.charts import short_day
from collector.page.period import iso
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.stories import HOUR, event

DAY = 24 * HOUR
Send = Callable[..., None]


def installs(
    version: str, days: int, succeeded: int, failed: dict[int, int], given_up: int = 0
) -> list[dict[str, Any]]:
    """Installs of a version so many days ago; how many failed, by the line of install.sh."""
    lines = [line for line, n in failed.items() for _ in range(n)]
    told = []
    for number, line in enumerate([*lines, *[0] * succeeded, *[-1] * given_up]):
        place = {"script": "install.sh", "line": line, "command": "curl", "exitCode": 6}
        run = f"{version} {days} {number}"
        some = [event("Installation Started", days * DAY, run)]
        if line >= 0:
            name = "Installation Errors" if line else "Installation Success"
            some.append(event(name, days * DAY - HOUR, run, **(place if line else {})))
        for one in some:
            one["context"]["app"]["version"] = version
            told.append({**one, "anonymousId": run})
    return told


def rows(text: str, section: str) -> list[str]:
    """What each row of a section's table says, without its markup."""
    part = text.partition(f'<section aria-labelledby="{section}">')[2].partition("</section>")[0]
    body = part.partition("<tbody>")[2].partition("</tbody>")[0].replace("</td>", " ").replace("</th>", " ")
    return [" ".join(re.sub(r"<[^>]*>", "", row).split()) for row in body.split("</tr>")[:-1]]


def test_a_failure_of_both_releases_that_grew_stands_before_the_others(
    client: PageClient, send: Send
) -> None:
    send(*installs("1.9.0", 20, 180, {51: 4, 300: 10, 600: 6}))
    send(*installs("1.10.0", 10, 120, {51: 40, 300: 11, 600: 29}))
    text = client.get("/since?period=month").text
    grew, both = rows(text, "grew"), rows(text, "still")
    assert [row.partition(" Run")[0][:62] for row in grew] == [
        "install.sh:51 curl exit 6 20 % 40 of 200 2 % 4 of 200 +18.0 po",
        "install.sh:600 curl exit 6 14.5 % 29 of 200 3 % 6 of 200 +11.5",
    ]
    assert both[0].startswith("install.sh:300 curl exit 6 5.5 % 11 of 200 5 % 10 of 200 +0.5 points chance")
    tables = client.get("/since.json?period=month").json()["tables"]
    assert [row["line"] for row in tables["grew"]] == ["51", "600"]
    assert [row["line"] for row in tables["still"]] == ["300"]
    assert (tables["grew"][0]["share"], tables["grew"][0]["share_before"]) == (0.2, 0.02)
    assert client.get("/since.csv?table=grew").text.count("\n") == 3
    first = client.get("/since?period=month&version=1.9.0").text  # nothing is before it
    assert ("Failures that grew" in first, rows(first, "new")[0][:14]) == (False, "install.sh:300")


def test_an_outlier_is_never_the_latest_release(client: PageClient, send: Send) -> None:
    """However many a CI gave up: they are few of all, and come before a release."""
    send(*installs("1.9.0", 20, 400, {51: 4}), *installs("1.10.0", 10, 300, {51: 4}))
    send(*installs("9.9.9-dev", 5, 0, {}, given_up=6))
    shown = client.get("/since.json?period=month&env=all").json()
    assert (shown["version"], shown["before"], shown["meaning"]) == ("1.10.0", "1.9.0", "noise")
    assert "9.9.9" not in client.get("/since?period=month&env=all").text


def test_a_rare_version_of_very_many_is_an_outlier_too(client: PageClient, send: Send) -> None:
    """The store tells the runs of the 200 most frequent versions."""
    for number in range(204):
        send(*installs(f"1.{number}.0", 20 + number % 2, 3, {}))
    send(*installs("9.9.9-dev", 5, 1, {}))
    for path in ("/since.json", "/overview.json"):
        shown = client.get(f"{path}?period=month").json()
        shown = shown.get("latest_release", shown)
        assert (shown["version"], shown["before"]) == ("1.203.0", "1.202.0")


def test_nothing_is_said_of_few_installs(client: PageClient, send: Send) -> None:
    send(*installs("1.9.0", 20, 400, {51: 40, 300: 60}), *installs("9.9.9-dev", 5, 0, {}, given_up=6))
    shown = client.get("/since.json?period=month&version=9.9.9-dev").json()
    assert (shown["meaning"], shown["success_rate"]["value"]) == ("few", 0.0)
    gone = [(row["line"], row["meaning"]) for row in shown["tables"]["gone"]]
    assert gone == [("300", "few"), ("51", "few")]
    text = client.get("/since?period=month&version=9.9.9-dev").text
    assert "Only 6 installs of 9.9.9-dev have ended: too few to compare the releases." in text
    assert text.count("Too few installs have ended to say.") == 1
    assert ('id="gone">Failures not seen so far' in text, "are gone</caption>" in text) == (True, False)
    assert "often" not in text.partition("<main")[2]
    send(*installs("9.9.9-dev", 4, 4, {700: 10}))  # twenty are enough
    assert client.get("/since.json?period=month&version=9.9.9-dev").json()["meaning"] == "worse"


def test_the_card_of_installs_names_all_that_did_not_succeed(client: PageClient, send: Send) -> None:
    send(*installs("1.9.0", 20, 90, {51: 10}), *installs("1.10.0", 10, 60, {51: 37}, given_up=3))
    send(*installs("1.10.0", 0, 0, {}, given_up=2))
    text = client.get("/since?period=month").text
    assert "<b>102</b> <small>37 failed, 3 given up, 2 still running</small>" in text
    assert ">60 %<" in text


def test_only_the_end_of_a_period_matters_so_no_other_is_offered(client: PageClient, send: Send) -> None:
    send(*installs("1.9.0", 20, 90, {51: 10}), *installs("1.10.0", 10, 60, {51: 37}))
    tables = [client.get(f"/since.json?period={name}").json()["tables"] for name in ("day", "week", "month")]
    assert tables[0] == tables[1] == tables[2]
    assert 'aria-label="Period"' in client.get("/steps").text
    for more in ("", "&version=1.9.0"):
        today = client.get(f"/since?period=month{more}").text
        assert ('aria-label="Period"' in today, "Up to" in today) == (False, False)
        past = client.get(f"/since?period=month&to={iso(NOW // DAY_MS - 15)}{more}").text
        assert 'aria-label="Period"' not in past
        assert f"Up to {short_day(NOW // DAY_MS - 15)} " in past
        assert f'<a href="/since{more.replace("&", "?")}">Up to today</a>' in past


def test_a_step_says_since_when_its_first_failure_is_told(client: PageClient, send: Send) -> None:
    """The page of a place tells when it was first seen at all."""
    send(*installs("1.8.0", 60, 9, {51: 1}), *installs("1.9.0", 20, 90, {51: 10}))
    send(*installs("1.10.0", 10, 60, {51: 37}))
    assert "First since 1.9.0</th>" in client.get("/since?period=month").text
    steps = client.get("/steps?period=month").text
    assert "First in this period</a></th>" in steps
    assert "First seen" not in steps
    place = client.get("/failure.json?period=month&script=install.sh&line=51&command=curl&end=6").json()
    assert place["first_seen"] == write_time(NOW - 60 * DAY + HOUR)


def test_a_change_is_the_difference_of_the_shares_that_are_shown(client: PageClient, send: Send) -> None:
    """12.47 and 3.53 % are shown as 12.5 and 3.5: so the change is 9.0 points."""
    send(*installs("1.9.0", 20, 164, {51: 6}), *installs("1.10.0", 10, 372, {51: 53}))
    row = rows(client.get("/since?period=month").text, "grew")[0]
    assert "12.5 % 53 of 425 3.5 % 6 of 170 +9.0 points" in row


def test_a_release_counts_from_its_first_install_even_if_the_one_before_came_later(
    client: PageClient, send: Send
) -> None:
    """A patch of an older line is the release before, and its first install is of a later day."""
    send(*installs("1.9.0", 60, 40, {300: 2}), *installs("2.0.0", 20, 60, {51: 40}))
    send(*installs("1.9.1", 10, 40, {300: 2}))
    shown = client.get("/since.json?period=month").json()
    assert (shown["version"], shown["before"], shown["meaning"]) == ("2.0.0", "1.9.1", "worse")
    assert (shown["success_rate"]["value"], shown["failures_read"]) == (0.6, 42)
    assert [(row["line"], row["runs"]) for row in shown["tables"]["new"]] == [("51", 40)]
    text, day = client.get("/since?period=month").text, NOW // DAY_MS - 20
    assert f"Counted since the first install of 2.0.0, on {short_day(day)} {iso(day)[:4]}." in text
    assert client.get("/overview.json?period=month").json()["latest_release"]["success_rate"] == 0.6


def test_the_same_release_in_another_spelling_is_not_the_one_before(client: PageClient, send: Send) -> None:
    send(*installs("1.9", 20, 90, {300: 10}), *installs("2.0", 10, 60, {51: 3}))
    send(*installs("v2.0.0", 10, 57, {51: 3}))
    shown = client.get("/since.json?period=month").json()
    assert (shown["version"], shown["before"]) == ("v2.0.0", "1.9")
    assert [(row["line"], row["runs"]) for row in shown["tables"]["new"]] == [("51", 6)]
    assert client.get("/overview.json?period=month").json()["latest_release"]["before"] == "1.9"
    send(*installs("2.1+1", 5, 20, {}), *installs("2.1+2", 4, 20, {}))
    assert client.get("/since.json?period=month").json()["before"] == "2.1+1"


def test_links_of_a_release_before_that_is_very_old_lead_somewhere(client: PageClient, send: Send) -> None:
    """A client whose clock stands in a year long past tells no time that corrects it."""
    send(*installs("1.9.0", 4000, 40, {300: 2}), *installs("1.9.0", 30, 40, {60: 2}))
    send(*installs("2.0.0", 20, 60, {51: 40}))
    text = client.get("/since").text
    links = {html.unescape(link) for link in re.findall(r'href="(/[^"#]*)', text) if "period=custom" in link}
    assert {client.get(link).status for link in links} == {200}
