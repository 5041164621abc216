"""The page over ASGI: reads a request, checks who sent it, and answers it.

GET  / /overview /installs /failure /run/ID /instances /instance/ID /support /events
     each also with .json and .csv
POST /support /signin /signout
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from importlib.resources import files
from string import punctuation
from typing import Any
from urllib.parse import quote, urlencode

from collector.base import http
from collector.base.http import Answer, Receive, Refused, Scope, Send
from collector.page import export
from collector.page.authentication import (
    Authenticator,
    Visitor,
    check_form,
    cookie_header,
    cookie_of,
    form_token,
    new_secret,
)
from collector.page.period import NAMED, BadPeriod, read_period
from collector.page.queries import events
from collector.page.queries.instances import CensusCache
from collector.page.queries.sources import Source, all_sources
from collector.page.render import Renderer
from collector.page.request import HTML, PageError, PageRequest, read_request
from collector.page.view_types import ViewRequest, ViewResult
from collector.page.views import VIEWS, VIEWS_OF, support
from collector.settings import Settings
from collector.store import Store, StoreError

logger = logging.getLogger("rollcall.collector")

MOST_BODY = 16 * 1024
# Views that are made at the same time, so that readers do not slow down incoming events.
VIEWS_AT_ONCE = 2
EMPTY_REFRESH_SECONDS = 3

POLICY = (
    b"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
    b" frame-ancestors 'none'"
)
SAFE = (
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
PRIVATE = (b"cache-control", b"no-store")
STATIC = {"/page.css": b"text/css; charset=utf-8", "/icon.svg": b"image/svg+xml"}
FORMS = frozenset({"/signin", "/signout", "/support"})
NAVIGATION = (
    ("/", "Overview"),
    ("/installs", "Installs"),
    ("/instances", "Instances"),
    ("/support", "Support"),
    ("/events", "Events"),
)


class Page:
    """All addresses that are not part of the API."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._store, self._now = settings, store, now
        self._authenticator = Authenticator(store, clock=clock)
        self._censuses = CensusCache(store, clock)
        self._render = Renderer()
        self._room = asyncio.Semaphore(VIEWS_AT_ONCE)
        self._static = {path: (files("collector.page") / "static" / path[1:]).read_bytes() for path in STATIC}
        self._css = f"/page.css?{sha256(self._static['/page.css']).hexdigest()[:8]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. This is the only place that catches every exception."""
        try:
            answer = await self._answer(scope, receive)
        except http.ClientGone:
            return
        except StoreError:
            answer = self._error_page(
                PageError(503, "The database does not answer. Try again in a moment.", 5)
            )
        except Exception as error:
            logger.exception("the page failed with %s", type(error).__name__)
            answer = self._error_page(
                PageError(500, "Something went wrong. The server's log has the details.")
            )
        await http.with_headers(answer, SAFE).send(send, head=scope["method"] == "HEAD")

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        if scope["path"] in STATIC:
            return self._file(scope)
        try:
            request = read_request(scope, await self._body(scope, receive), self._settings)
            if request.method == "POST":
                return await self._post(request)
            if request.method != "GET":
                return http.with_headers(
                    self._error_page(PageError(405, "Use GET for this page.")),
                    [(b"allow", b"GET, HEAD, POST")],
                )
            async with self._room:
                return await asyncio.to_thread(self._get, request)
        except Refused as refused:
            return self._error_page(PageError(refused.status, refused.message))
        except PageError as error:
            return self._error_page(error)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        if scope["method"] != "POST":
            return b""
        if http.declared_length(scope) > MOST_BODY:
            raise PageError(413, "The form is too long.")
        body = http.read_body(receive, MOST_BODY, lambda _: True)
        try:
            return await asyncio.wait_for(body, self._settings.timeout)
        except asyncio.TimeoutError:
            raise PageError(408, "The form took too long to arrive.") from None

    def _get(self, request: PageRequest) -> Answer:
        now = int(self._now() * 1000)
        visitor = self._authenticator.visitor(request, now)
        if request.path == "/signin":
            return self._sign_in_form(request) if visitor is None else _go("/")
        if visitor is None:
            return self._sign_in_first(request)
        secret = "" if visitor.secret else new_secret()
        visitor = Visitor(visitor.name, visitor.role, visitor.open, visitor.secret or secret)
        answer = self._view(request, visitor, now)
        return http.with_headers(answer, [cookie_header(request, secret)]) if secret else answer

    def _view(self, request: PageRequest, visitor: Visitor, now: int) -> Answer:
        show = _route(request.path)
        view = self._view_request(request, visitor, now)
        if view is None:
            return self._greeting(request, visitor)
        result = show(view)
        if request.suffix == "json":
            return Answer(200, export.view_as_json(view, result), b"application/json", (PRIVATE,))
        if request.suffix == "csv":
            name, body = export.table_as_csv(result, request.query.get("table"))
            disposition = (b"content-disposition", f'attachment; filename="{name}"'.encode())
            return Answer(200, body, b"text/csv; charset=utf-8", (PRIVATE, disposition))
        return self._html(view, result)

    def _html(self, view: ViewRequest, result: ViewResult) -> Answer:
        waiting = events.count_waiting_requests(view.store, view.source.id) if view.visitor.may_help else 0
        body = self._render(
            f"{result.name}.html",
            **self._frame(view.visitor),
            result=result,
            view=view,
            url=view.url,
            now=view.now,
            period=view.period,
            tables={table.name: table for table in result.tables},
            periods=NAMED,
            support_waiting=waiting,
            **{**result.context, "data": result.data},
        )
        refresh = result.context.get("refresh")
        return Answer(200, body, HTML, (PRIVATE, *([_refresh(refresh)] if refresh else [])))

    def _view_request(self, request: PageRequest, visitor: Visitor, now: int) -> ViewRequest | None:
        """What a view gets; None if no event has ever arrived."""
        sources = tuple(all_sources(self._store))
        if not any(source.heard for source in sources):
            return None
        try:
            period = read_period(request.query, now)
        except BadPeriod as error:
            raise PageError(400, f"{error}.".capitalize()) from None
        source = _source(sources, request.query.get("source"))
        return ViewRequest(self._store, self._censuses, request, visitor, source, sources, period, now)

    def _greeting(self, request: PageRequest, visitor: Visitor) -> Answer:
        """The page of an empty database: how to connect an agent."""
        if request.suffix:
            return Answer(200, b"{}\n" if request.suffix == "json" else b"", headers=(PRIVATE,))
        base = (
            self._settings.public_url or f"{'https' if request.secure else 'http'}://{request.header('host')}"
        )
        body = self._render("empty.html", **self._frame(visitor), base=base, refresh=EMPTY_REFRESH_SECONDS)
        return Answer(200, body, HTML, (PRIVATE, _refresh(EMPTY_REFRESH_SECONDS)))

    async def _post(self, request: PageRequest) -> Answer:
        if request.path not in FORMS:
            _route(request.path)
            raise PageError(405, "This address accepts no forms.")
        check_form(request)
        if request.path == "/signin":
            return await self._sign_in(request)
        if request.path == "/signout":
            await asyncio.to_thread(self._authenticator.sign_out, request)
            return http.with_headers(_go("/signin"), [cookie_header(request, "")])
        return await asyncio.to_thread(self._support, request)

    def _support(self, request: PageRequest) -> Answer:
        now = int(self._now() * 1000)
        visitor = self._authenticator.visitor(request, now)
        view = self._view_request(request, visitor, now) if visitor else None
        if view is None:
            raise PageError(403, "Sign in first.")
        return _go(support.update_request(view))

    async def _sign_in(self, request: PageRequest) -> Answer:
        secret = await self._authenticator.sign_in(request, int(self._now() * 1000))
        if secret is None:
            return self._sign_in_form(request, "The name or the password is wrong.")
        return http.with_headers(_go(_next(request.form.get("next"))), [cookie_header(request, secret)])

    def _sign_in_form(self, request: PageRequest, wrong: str = "") -> Answer:
        secret = cookie_of(request) or new_secret()
        body = self._render(
            "signin.html",
            **self._frame(None),
            token=form_token(secret),
            wrong=wrong,
            name=request.form.get("name", ""),
            next=_next(request.form.get("next") or request.query.get("next")),
        )
        return Answer(403 if wrong else 200, body, HTML, (PRIVATE, cookie_header(request, secret)))

    def _sign_in_first(self, request: PageRequest) -> Answer:
        if request.suffix:
            return Answer(401, b"Sign in first, at /signin, as a browser does.\n", http.TEXT, (PRIVATE,))
        path = request.path + ("?" + urlencode(request.query) if request.query else "")
        return _go("/signin" if path == "/" else "/signin?" + urlencode({"next": path}))

    def _error_page(self, error: PageError) -> Answer:
        body = self._render("error.html", **self._frame(None), status=error.status, text=error.text)
        more = [(b"retry-after", str(error.retry).encode())] if error.retry else []
        if error.status in (408, 413):  # the rest of the body is not read
            more.append((b"connection", b"close"))
        return Answer(error.status, body, HTML, (PRIVATE, *more))

    def _frame(self, visitor: Visitor | None) -> Mapping[str, Any]:
        return {"visitor": visitor, "navigation": NAVIGATION, "css": self._css}

    def _file(self, scope: Scope) -> Answer:
        path = scope["path"]
        return Answer(200, self._static[path], STATIC[path], ((b"cache-control", b"public, max-age=86400"),))


def _route(path: str) -> Callable[[ViewRequest], ViewResult]:
    if view := VIEWS.get(path):
        return view
    for prefix, view_of in VIEWS_OF.items():
        rest = path.removeprefix(prefix)
        if rest != path and rest and "/" not in rest:
            return lambda view: view_of(view, rest)
    raise PageError(404, "This page does not exist.")


def _source(sources: tuple[Source, ...], wanted: str | None) -> Source:
    """The source with that name; without a name, the first that has events."""
    if not wanted:
        return next(source for source in sources if source.heard)
    found = next((source for source in sources if source.name == wanted), None)
    if found is None:
        raise PageError(404, "No source has this name.")
    return found


def _next(wanted: str | None) -> str:
    """Where to go after signing in: always a path of this site."""
    if (
        wanted
        and wanted.startswith("/")
        and not wanted.startswith("//")
        and "\\" not in wanted
        and wanted.isprintable()
    ):
        return wanted
    return "/"


def _go(path: str) -> Answer:
    return Answer(303, b"", HTML, ((b"location", quote(path, safe=punctuation).encode()), PRIVATE))


def _refresh(seconds: int) -> tuple[bytes, bytes]:
    return b"refresh", str(seconds).encode()
