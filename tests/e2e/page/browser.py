"""Debian's Chromium, headless, watched: what its console says, and what it asks of whom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.parts import find
from tests.wait import PATIENCE

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1200, "height": 800}
WIDE = {"width": 1400, "height": 900}
PHONE = {"width": 390, "height": 800}
PATIENCE_MS = PATIENCE * 1000

expect.set_options(timeout=PATIENCE_MS)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with a new profile."""
    with sync_playwright() as driver:
        program = find("chromium", "chromium-browser")
        browser = driver.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """A tab whose complaints and requests are kept."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.base = base
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        context.set_default_timeout(PATIENCE_MS)
        self.page: Page = context.new_page()
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        context.on("request", lambda request: self._asked(request.url))

    def _asked(self, url: str) -> None:
        if urlsplit(url).netloc != urlsplit(self.base).netloc:
            self.elsewhere.append(url)

    def open(self, path: str) -> int:
        """Go there; the status that came back."""
        response = self.page.goto(self.base + path)
        assert response is not None
        return response.status

    def follow(self, target: Locator) -> None:
        """Press what leads to another page, and wait until that is there whole."""
        with self.page.expect_navigation():
            target.click()

    def open_setup_link(self, link: str) -> None:
        """Come by the setup link, as the first person does."""
        self.open(link.removeprefix(self.base))
        self.page.get_by_role("button", name="Open the page").click()
        self.page.wait_for_url(self.base + "/")

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def axe(self, source: Path) -> list[str]:
        """What axe-core finds wrong. It runs as the browser's own tools do, beside the page's policy."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Page.enable")
        frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        world = session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "axe"})
        told = {"contextId": world["executionContextId"], "awaitPromise": True, "returnByValue": True}
        session.send("Runtime.evaluate", {**told, "expression": source.read_text()})
        done: Any = session.send(
            "Runtime.evaluate", {**told, "expression": "axe.run({resultTypes: ['violations']})"}
        )
        session.detach()
        return [
            f"{found['id']}: {found['nodes'][0]['html'][:120]}"
            for found in done["result"]["value"]["violations"]
        ]
