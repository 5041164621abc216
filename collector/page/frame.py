"""Answers of the page: HTML with what is around every page, errors, redirects, and the static files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from string import punctuation
from typing import Any
from urllib.parse import quote

from collector.base import http
from collector.base.http import Answer
from collector.ingest.disk import DiskWatch
from collector.page.access.visitor import Visitor
from collector.page.render import Renderer
from collector.page.request import HTML, PageError

PRIVATE = (b"cache-control", b"no-store")
STATIC = {"/page.css": b"text/css; charset=utf-8", "/icon.svg": b"image/svg+xml"}
NAVIGATION = (
    ("/", "Overview"),
    ("/installs", "Installs"),
    ("/instances", "Instances"),
    ("/support", "Support"),
    ("/events", "Events"),
    ("/releases", "Releases"),
    ("/rejects", "Rejected"),
    ("/alerts", "Alerts"),
)
# The views that answer a question about the fleet, and what a click on each shows.
QUESTIONS: tuple[tuple[str, dict[str, str], str], ...] = (
    ("/since", {}, "What broke?"),
    ("/stuck", {}, "Who is stuck?"),
    ("/steps", {}, "Which step first?"),
    ("/adoption", {}, "Which versions live?"),
    ("/adoption", {"by": "system"}, "Which systems live?"),
    ("/usage", {}, "What is used?"),
)

Header = tuple[bytes, bytes]


class Frame:
    """Makes answers from templates and files."""

    def __init__(self, disk: DiskWatch) -> None:
        self._disk = disk
        self._render = Renderer()
        self._static = {path: (files("collector.page") / "static" / path[1:]).read_bytes() for path in STATIC}
        self._css = f"/page.css?{sha256(self._static['/page.css']).hexdigest()[:8]}"

    def html(
        self,
        template: str,
        visitor: Visitor | None,
        context: Mapping[str, Any],
        *,
        status: int = 200,
        headers: Iterable[Header] = (),
        cache: Header = PRIVATE,
    ) -> Answer:
        """A page made from a template."""
        around = {
            "visitor": visitor,
            "navigation": NAVIGATION,
            "questions": QUESTIONS,
            "css": self._css,
        }
        around["shortage"] = self._disk.look() if visitor else ""
        return Answer(status, self._render(template, **around, **context), HTML, (cache, *headers))

    def error(self, error: PageError, suffix: str = "") -> Answer:
        """An error as a page, or as JSON where a program asked for JSON or CSV."""
        headers = [(b"retry-after", str(error.retry).encode())] if error.retry else []
        if error.status in (408, 413):  # the rest of the body is not read
            headers.append((b"connection", b"close"))
        if error.status == 401:  # noqa: PLR2004 - HTTP wants a header
            headers.append((b"www-authenticate", b'Bearer realm="rollcall"'))
        if error.status == 405:  # noqa: PLR2004 - and here
            headers.append((b"allow", b"GET, HEAD" if suffix else b"GET, HEAD, POST"))
        if suffix:
            return http.with_headers(json_error(error.status, error.text), headers)
        context = {"status": error.status, "text": error.text}
        return self.html("error.html", None, context, status=error.status, headers=headers)

    def file(self, path: str) -> Answer:
        """A static file."""
        return Answer(200, self._static[path], STATIC[path], ((b"cache-control", b"public, max-age=86400"),))


def json_error(status: int, text: str) -> Answer:
    """An error for programs, in the form that the tracking API uses too."""
    code = HTTPStatus(status).phrase.lower().replace(" ", "_")
    body = json.dumps({"success": False, "code": code, "message": text}, ensure_ascii=False).encode()
    return Answer(status, body + b"\n", headers=(PRIVATE,))


def redirect(path: str, *headers: Header) -> Answer:
    """Go to a path of this site."""
    location = (b"location", quote(path, safe=punctuation).encode())
    return Answer(303, b"", HTML, (location, PRIVATE, *headers))


def safe_path(wanted: str | None) -> str:
    """A path of this site to go to next; the overview if the wanted one is none."""
    if (
        wanted
        and wanted.startswith("/")
        and not wanted.startswith("//")
        and "\\" not in wanted
        and wanted.isprintable()
    ):
        return wanted
    return "/"


def refresh_after(seconds: int) -> Header:
    return b"refresh", str(seconds).encode()
