"""Whatever stands in an event or an address is shown as text, and does nothing."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.admin import users
from collector.page import app
from collector.page.frame import NAVIGATION
from collector.store import Stores
from collector.store.words import MOST_WORDS, OTHER
from tests.collector.page.client import PageClient
from tests.collector.page.conftest import PASSWORD
from tests.collector.page.stories import INSTANCE, RUN, event, failed_run

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' OR '1'='1' --",
    "'; DROP TABLE events; --",
    "{{ 7 * 7 }}{% for x in y %}{{ config }}",
    "${7*7}#{7*7}",
    '=HYPERLINK("http://evil.example","x")',
    "javascript:alert(1)",
    "a\r\nset-cookie: x=y",
    "\u202egnp.exe",
    "</title></style><svg onload=alert(1)>",
    "% _ \\ %s ? :name",
    "a\x1fb",
    "1e999",
]
VIEWS = [*(path for path, _ in NAVIGATION), f"/run/{RUN}", f"/instance/{INSTANCE}"]
SAFE = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
TAGS = {"script", "img", "iframe", "object", "embed", "style", "base", "meta-refresh"}


class Elements(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]


def check_inert(text: str) -> None:
    found = Elements(text)
    assert not found.tags & TAGS
    assert not [name for name in found.attributes if name.startswith("on") or name == "style"]
    assert all(link.startswith(("/", "#")) and not link.startswith("//") for link in found.links), found.links


def hostile(evil: str, name: str = RUN) -> list[dict[str, object]]:
    told = {"reason": evil, "script": evil, "command": evil, "signal": evil, "line": 3, "email": evil}
    run = failed_run(name)
    run[1]["properties"] = told
    run[2]["properties"] = {"email": evil, "reference": evil}
    for one in run:
        one["context"] |= {"app": {"name": evil, "version": evil}, "os": {"name": evil, "version": evil}}
    return [
        *run,
        {**event(evil), "properties": {"k": evil, evil[:20]: evil}},
        event("Instance Active", instanceId=evil),
    ]


@pytest.mark.parametrize("evil", EVIL)
def test_hostile_text_in_every_field_is_text_on_every_view(
    client: PageClient, page_stores: Stores, send: Callable[..., None], evil: str
) -> None:
    send(*hostile(evil), source=evil)
    kept = page_stores.control.all("SELECT COUNT(*) FROM events")
    seen = ""
    for view in VIEWS:
        reply = client.get(view)
        assert reply.status == 200, reply.text
        check_inert(reply.text)
        seen += reply.text
    assert "49" not in re.sub(r"[0-9a-f-]{8,}|\d{4,}|[\d.]+\"", "", seen.replace("7 * 7", ""))
    assert page_stores.control.all("SELECT COUNT(*) FROM events") == kept
    for view in VIEWS[1:]:
        for suffix in ("json", "csv"):
            assert client.get(f"{view}.{suffix}").status == 200


def test_the_check_would_notice_what_is_not_inert() -> None:
    for text in ("<script>1</script>", "<p onclick=x>", "<a href='javascript:x'>", "<p style=x>"):
        with pytest.raises(AssertionError):
            check_inert(text)


def test_a_failure_with_a_hostile_place_is_found_again_by_its_link(
    client: PageClient, send: Callable[..., None]
) -> None:
    for evil in EVIL:
        send(*hostile(evil, evil))
    found = client.get("/installs.json").json()["tables"]["failures"]
    assert len(found) == len(EVIL)
    for row in found:
        place = urlencode({name: row[name] for name in ("script", "line", "command", "end")})
        assert client.get(f"/failure?{place}").status == 200


def test_a_cell_that_a_spreadsheet_would_run_is_text(client: PageClient, send: Callable[..., None]) -> None:
    for evil in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1"):
        send(event(evil))
    rows = list(csv.DictReader(io.StringIO(client.get("/events.csv").text)))
    assert rows
    assert all(row["event"].startswith("'") for row in rows)


def test_text_in_csv_is_quoted_so_that_no_spreadsheet_parts_it_elsewhere(
    client: PageClient, send: Callable[..., None]
) -> None:
    send(event("a;=1+1"))
    rows = client.get("/events.csv").text
    assert ',"a;=1+1",' in rows  # in a column of its own; the JSON beside it is quoted in any case


@pytest.mark.parametrize("evil", EVIL)
def test_hostile_addresses_are_answered_in_words(
    client: PageClient, send: Callable[..., None], evil: str
) -> None:
    send(*failed_run())
    text = quote(evil)
    for target in (
        f"/{text}",
        f"/run/{text}",
        f"/instance/{text}",
        f"/?period={text}",
        f"/?from={text}&to={text}",
        f"/?source={text}",
        f"/events?event={text}&instance={text}&before={text}",
        f"/instances?state={text}",
        f"/failure?script={text}&line={text}&command={text}&end={text}",
        f"/installs.csv?table={text}",
    ):
        reply = client.get(target)
        assert reply.status in (200, 400, 404), (target, reply.text)
        if "html" in reply.header("content-type"):
            check_inert(reply.text)
        assert all("\n" not in value and "\r" not in value for _, value in reply.headers)


@given(
    path=st.text(max_size=40), query=st.dictionaries(st.text(max_size=9), st.text(max_size=20), max_size=4)
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_address_makes_the_page_fail(client: PageClient, path: str, query: dict[str, str]) -> None:
    names = ["source", "period", "from", "to", "before", "state", "event", "instance", "table", "live"]
    told = {names[n]: value for n, value in enumerate(query.values())} | query
    text = urlencode(told, errors="surrogatepass") if all(map(str.isprintable, query)) else ""
    assert client.get(f"/{path.replace('?', '')}?{text}").status < 500
    assert client.get(f"/events?{text}").status < 500


def test_an_unforeseen_error_is_json_where_a_program_asks(
    client: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(app.Page, "_by_method", fail)
    for suffix in (".json", ".csv"):
        reply = client.get(f"/overview{suffix}")
        assert (reply.status, reply.json()["code"]) == (500, "internal_server_error")
    assert "<html" in client.get("/").text


FIELDS = (
    "action",
    "name",
    "role",
    "source",
    "password",
    "again",
    "current",
    "key",
    "next",
    "run",
    "answered",
)
VALUES = st.sampled_from(
    ["add-user", "remove-user", "add-key", "revoke-key", "add-token", "revoke-token", "viewer"]
)


@given(
    path=st.sampled_from(["/signin", "/signout", "/setup", "/account", "/admin", "/support"]),
    fields=st.dictionaries(st.sampled_from(FIELDS), VALUES | st.text(max_size=12), max_size=6),
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_form_makes_the_page_fail(
    client: PageClient, page_stores: Stores, path: str, fields: dict[str, str]
) -> None:
    if not users.any_user(page_stores.control):
        users.add_user(page_stores.control, "root", "admin", PASSWORD, 0)
    client.clock += 10_000  # so that no limit answers first
    cookie = client.sign_in("root", PASSWORD)
    token = client.get("/admin", cookie=cookie).token
    body = urlencode({"token": token, **fields}, errors="surrogatepass").encode()
    assert client.request("POST", path, body=body, cookie=cookie).status < 500
    assert client.request("POST", path, body=body + b"&name=%ff%00%ed%a0%80", cookie=cookie).status < 500


@pytest.mark.parametrize(
    "target",
    [
        "/?path=x&self=y",
        "/installs?path=x&self=y",
        "/?to=0001-01-05",
        "/?from=0001-01-01&to=0001-12-31",
        "/?from=1970-01-01&to=1970-12-31",
        "/?period=day&to=1970-01-01",
        "/instances?period=year&to=1970-12-31",
    ],
)
def test_names_of_our_own_and_the_ends_of_the_calendar_are_answered_in_words(
    client: PageClient, send: Callable[..., None], target: str
) -> None:
    send(*failed_run())
    assert client.get(target).status in (200, 400)


def test_thousands_of_versions_and_deep_events_of_a_stranger_leave_a_page_short(
    client: PageClient, page_stores: Stores, send: Callable[..., None]
) -> None:
    runs = []
    for number in range(3000):
        start = event("Installation Started", run=f"run {number}")
        start["context"] |= {"app": {"version": f"v{number}"}, "os": {"name": f"os{number}"}}
        runs.append(start)
    send(*runs)
    deep: object = [1] * 15_000
    for _ in range(90):
        deep = [deep]
    send(*(event(f"deep {number}", k=deep) for number in range(20)))
    while page_stores.events.fold():
        pass
    shown = client.get("/installs")
    assert len(shown.text) < 300_000
    assert shown.text.count("page 1 of 5") == 2
    versions = client.get("/installs.json").json()["tables"]["versions"]
    assert len(versions) == MOST_WORDS + 1
    assert (versions[-1]["version"], sum(row["started"] for row in versions)) == (OTHER, 3000)
    assert len(client.get("/events").text) < 1_500_000


def test_the_headers_forbid_what_the_page_does_not_need(
    client: PageClient, send: Callable[..., None]
) -> None:
    send(*failed_run())
    for target in (*VIEWS, "/page.css", "/icon.svg", "/nowhere", "/events.json", "/events.csv"):
        reply = client.get(target)
        assert {name: reply.header(name) for name in SAFE} == SAFE, target
        assert "http" not in "".join(re.findall(r'(?:src|href|url)[=(]"?([^"\s>]*)', reply.text)).lower()


def test_only_what_takes_a_form_takes_one_and_only_a_short_one(client: PageClient) -> None:
    assert client.request("DELETE", "/").status == 405
    assert client.request("PUT", "/events").status == 405
    assert client.post("/v1/nope", {}).status == 404
    assert client.post("/installs", {}).status == 405
    assert client.post("/signin", {}).status == 403
    assert client.request("POST", "/signin", body=b"x" * 20_000, content_length="20000").status == 413
    assert client.request("POST", "/signin", body=b"x" * 20_000).status == 413
    assert client.request("POST", "/", body=b"").status == 405
    assert client.request("POST", "/signin", body=b"&".join(b"a=b" for _ in range(100))).status == 400


def test_a_line_of_a_made_up_place_is_no_number(client: PageClient, send: Callable[..., None]) -> None:
    """The separator of places in a script's name makes the line what follows it."""
    for number, version in enumerate(("1.0", "1.1")):
        made_up = f"a\x1f{(7, chr(0xB2))[number]}"
        failed = event("Installation Errors", run=f"{number}{RUN[1:]}", script=made_up, exitCode=1)
        failed["context"]["app"]["version"] = version
        send(failed)
    for view in ("/steps", "/since"):
        assert client.get(view).status == client.get(f"{view}.json").status == 200
