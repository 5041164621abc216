"""The pictures of the vendor's page in docs/images, taken of a made-up fleet.

`python -m tests.e2e.page.pictures` takes them anew. It needs Chromium.
"""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, ViewportSize

from tests.collector.running import Collector
from tests.e2e.page.browser import chromium

IMAGES = Path(__file__).parents[3] / "docs/images"
SIZE, SCALE = ViewportSize(width=1120, height=1010), 1.25
PASSWORD = "correct horse battery"
PICTURES = {
    "page-overview.png": ("/?source=demo&period=year", "light"),
    "page-installs.png": ("/installs?source=demo&period=quarter", "dark"),
}


def take(browser: Browser, base: str, name: str) -> None:
    """One picture, as a signed-in member sees the page."""
    path, scheme = PICTURES[name]
    context = browser.new_context(
        viewport=SIZE,
        device_scale_factor=SCALE,
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(base + path)
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.locator("footer").wait_for()
    page.screenshot(path=IMAGES / name)
    context.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        collector = Collector(Path(folder), f"sqlite:///{folder}/collector.db")
        collector.verb("demo-data", "--instances", "330")
        collector.verb("users", "add", "ada", "--role", "support", stdin=PASSWORD + "\n")
        collector.start()
        try:
            for name in PICTURES:
                take(browser, f"http://127.0.0.1:{collector.port}", name)
        finally:
            collector.stop()


if __name__ == "__main__":
    main()
