"""Each view in a real browser: on a desk and a phone, by day and by night, followed to every end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.collector.running import Collector
from tests.e2e.page.browser import DESKTOP, PATIENCE_MS, PHONE, WIDE, Watched

pytestmark = pytest.mark.needs("chromium")
QUESTIONS = ["/since", "/stuck", "/steps", "/adoption?period=quarter", "/adoption?by=system", "/usage"]
VIEWS = [
    "/",
    *QUESTIONS,
    "/installs",
    "/instances?period=week",
    "/support",
    "/events",
    "/releases",
    "/rejects",
    "/alerts",
    "/public/demo",
]
BEAT = {"event": "Instance Active", "anonymousId": "a", "properties": {"instanceId": "a"}}
PASSWORD = "correct horse battery"
# Where a link or a form leads.
TARGETS = "all => all.map(a => a.href || a.action + '?' + new URLSearchParams(new FormData(a)))"
# Links are followed by shape: a failure, a run and an instance or two stand for all.
MOST_OF_A_SHAPE = 2
FILTERS, PERIOD = {"state", "version", "system"}, {"period", "from", "to"}


@pytest.fixture
def watched(browser: Browser, demo: Collector) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    yield came_by_link(context, demo)
    context.close()


def came_by_link(context: BrowserContext, collector: Collector) -> Watched:
    """A tab in which the page is open, because it followed the setup link."""
    watched = Watched(context, base_of(collector))
    watched.open_setup_link(setup_link(collector))
    return watched


def sign_in(watched: Watched, name: str) -> None:
    watched.page.get_by_label("Name").fill(name)
    watched.page.get_by_label("Password").fill(PASSWORD)
    watched.follow(watched.page.get_by_role("button", name="Sign in"))


def setup_link(collector: Collector) -> str:
    return collector.verb("setup-link", "--listen", f"127.0.0.1:{collector.port}").stdout.strip()


def base_of(collector: Collector) -> str:
    return f"http://127.0.0.1:{collector.port}"


def all_views(watched: Watched) -> list[str]:
    """The views in the navigation, and one of each kind behind them."""
    found = list(VIEWS)
    behind = {"/failure?": "/installs?period=year", "/run/": "/support", "/instance/": "/instances"}
    for start, view in behind.items():
        watched.open(view)
        link = watched.page.locator(f'main a[href^="{start}"]').first.get_attribute("href")
        assert link, view
        found.append(link)
    return found


@pytest.mark.needs("node")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_each_view_is_whole_quiet_and_open_to_all(
    browser: Browser,
    demo: Collector,
    axe: Path,
    tmp_path: Path,
    scheme: Literal["light", "dark"],
    device: str,
) -> None:
    desktop = WIDE if scheme == "dark" else DESKTOP  # so that both are seen
    size = desktop if device == "desktop" else PHONE
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    watched = came_by_link(context, demo)
    for number, view in enumerate(all_views(watched)):
        assert watched.open(view) == 200, view
        assert watched.overflow() <= 0, view
        assert watched.axe(axe) == [], view
        picture = watched.page.screenshot(path=tmp_path / f"{number}.png", full_page=True)
        assert len(picture) > 10_000
    assert watched.complaints == []
    assert watched.elsewhere == []
    context.close()


@pytest.mark.needs("node")
def test_the_watch_notices_script_requests_elsewhere_and_barriers(watched: Watched, axe: Path) -> None:
    watched.open("/")
    watched.page.evaluate(
        """() => {
            const hole = '<img src="http://127.0.0.2:9/x.png"><p style="color:red">';
            document.body.insertAdjacentHTML('beforeend', hole);
            document.querySelectorAll('[aria-label]').forEach(e => e.removeAttribute('aria-label'));
        }"""
    )
    watched.page.wait_for_function("document.querySelector('img').complete")
    assert watched.elsewhere == ["http://127.0.0.2:9/x.png"]
    assert any("Content Security Policy" in told for told in watched.complaints)
    assert watched.axe(axe)


def test_every_link_and_form_of_every_view_leads_somewhere(watched: Watched) -> None:
    waiting, seen, shapes = ["/"], set[str](), dict[str, int]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if urlsplit(path).path.endswith((".csv", ".json")):
            head = watched.page.request.head(watched.base + path, timeout=PATIENCE_MS)
            assert head.status == 200, path
            continue
        assert watched.open(path) == 200, path
        for link in watched.page.eval_on_selector_all("a[href], form[method=get]", TARGETS):
            parts = urlsplit(urljoin(watched.base + path, link))
            assert parts.netloc == urlsplit(watched.base).netloc, link
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            shape = shape_of(parts.path, parts.query)
            if target not in seen and shapes.get(shape, 0) < MOST_OF_A_SHAPE:
                shapes[shape] = shapes.get(shape, 0) + 1
                waiting.append(target)
    assert watched.complaints == []
    assert watched.elsewhere == []
    assert {"/", "/installs", "/instances", "/support", "/events"} <= {urlsplit(path).path for path in seen}
    assert len(shapes) > 30


def shape_of(path: str, query: str) -> str:
    """A path without its id, and the kinds of names in its query; of a CSV or JSON the path alone."""
    kind = "/".join(path.split("/")[:2])
    if path.endswith((".csv", ".json")):
        return kind.partition(".")[0] + path[path.rindex(".") :]
    names = {part.partition("=")[0] for part in query.split("&")}
    kinds = (("filter", FILTERS), ("period", PERIOD))
    told = {next((k for k, of in kinds if name in of), "table" if "." in name else name) for name in names}
    return kind + "?" + "&".join(sorted(told))


def test_on_a_phone_the_answer_begins_in_the_upper_third(browser: Browser, demo: Collector) -> None:
    context = browser.new_context(viewport={"width": PHONE["width"], "height": PHONE["height"]})
    watched = came_by_link(context, demo)
    watched.open("/stuck")
    head, answer = (watched.page.locator(name).bounding_box() for name in (".top", ".lead"))
    assert head
    assert answer
    assert answer["y"] - head["y"] < PHONE["height"] / 3
    context.close()


def test_forms_work_without_javascript(browser: Browser, demo: Collector) -> None:
    context = browser.new_context(java_script_enabled=False)
    watched = came_by_link(context, demo)
    page = watched.page
    watched.open("/installs")
    page.locator(".custom summary").click()
    page.locator('input[name="from"]').fill("2026-01-01")
    page.locator('input[name="to"]').fill("2026-01-31")
    watched.follow(page.get_by_role("navigation", name="Period").get_by_role("button", name="Show"))
    assert "from=2026-01-01" in page.url
    watched.open("/support")
    open_requests = page.get_by_role("button", name="Mark as answered")
    before = open_requests.count()
    watched.follow(open_requests.first)
    assert open_requests.count() == before - 1
    watched.follow(page.get_by_role("button", name="Reopen").first)
    assert open_requests.count() == before
    watched.open("/events")
    page.locator('select[name="event"]').select_option("Installation Errors")
    watched.follow(page.get_by_role("button", name="Show"))
    shown = page.locator(".event summary > span:nth-of-type(2)").all_text_contents()
    assert set(shown) == {"Installation Errors"}
    page.locator(".event summary").first.click()
    assert '"event": "Installation Errors"' in page.locator("pre").first.inner_text()
    page.locator(".sources summary").click()
    watched.follow(page.get_by_role("link", name="staging"))
    assert "source=staging" in page.url
    assert watched.complaints == []
    context.close()


def test_a_day_of_a_chart_is_told_by_pointer_key_and_touch_without_javascript(
    browser: Browser, demo: Collector
) -> None:
    context = browser.new_context(java_script_enabled=False, has_touch=True)
    watched = came_by_link(context, demo)
    watched.open("/")
    days = watched.page.locator(".values").first.locator("label")
    told, days_known = days.locator("span"), days.count()
    expect(told.nth(2)).to_have_css("opacity", "0")
    days.nth(2).hover()
    expect(told.nth(2)).to_have_css("opacity", "1")
    days.nth(4).tap()
    expect(told.nth(4)).to_have_css("opacity", "1")
    watched.page.keyboard.press("ArrowRight")
    watched.page.mouse.move(0, 0)
    expect(told.nth(5)).to_have_css("opacity", "1")
    assert "24 hours " in told.nth(5).inner_text()
    watched.page.keyboard.press("Tab")  # one key leads past all days
    assert days_known >= 30
    expect(days.locator("input:focus")).to_have_count(0)
    expect(told.nth(5)).to_have_css("opacity", "0")
    assert watched.complaints == []
    context.close()


def test_an_empty_page_greets_and_fills_in_with_the_first_event(browser: Browser, empty: Collector) -> None:
    context = browser.new_context()
    watched = came_by_link(context, empty)
    watched.open("/")
    assert f"ROLLCALL_ENDPOINT=http://127.0.0.1:{empty.port}" in watched.page.inner_text("main")
    assert empty.post("/v1/track", BEAT).status == 200
    watched.page.get_by_role("heading", name="Overview").wait_for()
    assert watched.complaints == []
    context.close()


@pytest.mark.needs("node")
@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_the_setup_link_opens_the_page_and_leads_to_the_first_user(
    browser: Browser, empty: Collector, axe: Path, device: str
) -> None:
    size = DESKTOP if device == "desktop" else PHONE
    context = browser.new_context(viewport=size)  # type: ignore[arg-type]
    watched, link = Watched(context, base_of(empty)), setup_link(empty)
    page = watched.page
    assert watched.open("/") == 403
    page.set_content(f'<a href="{link}">somebody sent this</a>')
    page.get_by_role("link").click()
    page.wait_for_url("**/setup")
    assert watched.axe(axe) == []
    watched.follow(page.get_by_role("button", name="Open the page"))
    watched.follow(page.get_by_role("link", name="Add the first user"))
    assert watched.axe(axe) == []
    assert watched.overflow() <= 0
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password, again").fill(PASSWORD)
    page.get_by_role("button", name="Add the user").click()
    page.get_by_role("heading", name="No events yet").wait_for()
    page.get_by_role("link", name="Create another one").click()  # the fixture has made one
    page.wait_for_url("**/?key=new")  # from here on, the page does not load again by itself
    assert page.get_by_text("No user exists yet").count() == 0
    assert page.evaluate("document.cookie") == ""
    page.get_by_label("Name of your product").fill("product")
    watched.follow(page.get_by_role("button", name="Create a write key"))
    key = page.locator("li code").first.inner_text()
    assert f"ROLLCALL_WRITE_KEY={key}" in page.get_by_label("Settings").inner_text()
    assert watched.axe(axe) == []
    assert watched.overflow() <= 0
    assert empty.post("/v1/track", BEAT, key=key).status == 200
    page.get_by_role("link", name="Wait for the first event").click()
    page.get_by_role("heading", name="Overview").wait_for()
    assert watched.elsewhere == []
    context.close()


@pytest.mark.needs("node")
@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_an_admin_manages_users_keys_and_tokens(
    browser: Browser, empty: Collector, axe: Path, device: str, tmp_path: Path
) -> None:
    empty.verb("users", "add", "root", "--role", "admin", stdin=PASSWORD + "\n")
    size = DESKTOP if device == "desktop" else PHONE
    context = browser.new_context(viewport=size)  # type: ignore[arg-type]
    watched = Watched(context, base_of(empty))
    page = watched.page
    watched.open("/admin")
    sign_in(watched, "root")
    page.get_by_text("Add a user", exact=True).click()
    form = page.locator("form", has=page.get_by_role("button", name="Add the user"))
    form.get_by_label("Name").fill("vera")
    form.get_by_label("Password").fill(PASSWORD)
    form.get_by_label("Again").fill(PASSWORD)
    watched.follow(form.get_by_role("button"))
    page.get_by_text("Add a write key").click()
    page.get_by_label("Source", exact=True).fill("product")
    watched.follow(page.get_by_role("button", name="Add the key"))
    key = page.get_by_label("write key", exact=True).inner_text()
    assert empty.post("/v1/track", {**BEAT, "userId": "a"}, key=key).status == 200
    page.get_by_text("Add an API token").click()
    page.get_by_label("What it is for").fill("report")
    watched.follow(page.get_by_role("button", name="Add the token"))
    token = page.get_by_label("API token", exact=True).inner_text()
    assert empty.get("/overview.json", Authorization=f"Bearer {token}").status == 200
    assert watched.axe(axe) == []
    assert watched.overflow() <= 0
    page.screenshot(path=tmp_path / "admin.png", full_page=True)
    page.get_by_text("Remove vera", exact=True).first.click()
    watched.follow(page.get_by_role("button", name="Remove vera"))
    assert "vera" not in page.get_by_role("table", name="Users").inner_text()
    assert "removed user" in page.get_by_role("table", name="Audit log").inner_text()
    watched.follow(page.get_by_role("link", name="root"))
    assert watched.axe(axe) == []
    for label, text in (
        ("Current password", PASSWORD),
        ("New password", "x" * 12),
        ("New password, again", "x" * 12),
    ):
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_role("button", name="Change the password").click()
    page.get_by_text("The password is changed").wait_for()
    assert watched.complaints == []
    assert watched.elsewhere == []
    context.close()


def test_signing_in_and_out_in_a_browser(browser: Browser, empty: Collector) -> None:
    empty.verb("users", "add", "vera", "--role", "viewer", stdin=PASSWORD + "\n")
    empty.post("/v1/track", BEAT)
    context = browser.new_context()
    watched = Watched(context, base_of(empty))
    page = watched.page
    watched.open("/instances?period=week")
    sign_in(watched, "vera")
    assert page.url.endswith("/instances?period=week")
    assert page.get_by_role("link", name="Support").count() == 0
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/signin")
    page.go_back()
    page.reload()
    assert "/signin" in page.url
    assert watched.elsewhere == []
    context.close()
