"""The page over ASGI: reads a request, checks who sent it, and answers it.

GET  / /overview /installs /failure /run/ID /instances /instance/ID /support /find /events
     /rejects /alerts /bundles
     each also with .json and .csv
GET  /bundle/ID.jwe
     /public/SOURCE, to everybody where it is allowed
GET and POST  the pages that are forms, in collector/page/forms
POST /support
"""

from __future__ import annotations

import asyncio
import logging
import shlex
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import chain
from urllib.parse import urlencode

from collector.admin import users
from collector.base import http
from collector.base.environments import CHOICES
from collector.base.http import Answer, Receive, Refused, Scope, Send, StreamedAnswer
from collector.ingest.disk import DiskWatch
from collector.page import export, public
from collector.page.access.authentication import Authenticator
from collector.page.access.cookies import SESSION, check_form
from collector.page.access.sign_in import SignIn
from collector.page.access.visitor import Visitor
from collector.page.forms import FORMS
from collector.page.forms.form_types import FormRequest
from collector.page.forms.setup import CLOSED
from collector.page.forms.start import show_greeting
from collector.page.frame import PRIVATE, STATIC, Frame, Header, redirect, refresh_after
from collector.page.masking import result_for
from collector.page.period import NAMED, BadPeriod, read_period
from collector.page.queries.census import CensusCache
from collector.page.queries.history import HistoryCache
from collector.page.queries.sources import Source, SourceList
from collector.page.request import PageError, PageRequest, base_address, path_and_suffix, read_request
from collector.page.view_types import ViewRequest, ViewResult
from collector.page.views import VIEWS, VIEWS_OF, bundles, support
from collector.settings import Settings
from collector.store import StoreError, Stores
from collector.store.bundles import bundle_parts

logger = logging.getLogger("rollcall.collector")

MOST_BODY = 16 * 1024
# Views that are made at the same time, so that readers do not slow down incoming events.
VIEWS_AT_ONCE = 2
CSV = b"text/csv; charset=utf-8"
JOSE = b"application/jose"

POLICY = (
    b"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
    b" frame-ancestors 'none'"
)
SAFE = {
    b"content-security-policy": POLICY,
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"x-frame-options": b"DENY",
}


class Page:
    """All addresses that are not part of the API."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        disk: DiskWatch,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._stores, self._now = settings, stores, now
        self._authenticator = Authenticator(stores.control)
        self._signing = SignIn(stores.control, clock)
        self._sources = SourceList(stores)
        self._censuses = CensusCache(stores, now=now, clock=clock)
        self._histories = HistoryCache(stores, clock=clock)
        self.jobs = (self._censuses, self._histories)
        """What counts large fleets in the background."""
        self._frame = Frame(disk)
        self._public = public.PublicPages(stores.control, self._frame, clock)
        self._room = asyncio.Semaphore(VIEWS_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. This is the only place that catches every exception."""
        try:
            answer: Answer | StreamedAnswer = await self._answer(scope, receive)
        except http.ClientGone:
            return
        except Exception as error:
            logger.exception("the page failed with %s", type(error).__name__)
            wrong = PageError(500, "Something went wrong. The server's log has the details.")
            answer = self._frame.error(wrong, path_and_suffix(scope)[1])
        safe = SAFE.items() - {(name, SAFE.get(name)) for name, _ in answer.headers}
        await answer._replace(headers=(*answer.headers, *safe)).send(send, head=scope["method"] == "HEAD")

    async def _answer(self, scope: Scope, receive: Receive) -> Answer | StreamedAnswer:
        if scope["path"] in STATIC:
            return self._frame.file(scope["path"])
        _, suffix = path_and_suffix(scope)
        try:
            request = read_request(scope, await self._body(scope, receive), self._settings)
            return await self._by_method(request)
        except Refused as refused:
            return self._frame.error(PageError(refused.status, refused.message), suffix)
        except PageError as error:
            return self._frame.error(error, suffix)
        except StoreError:
            message = "The database does not answer. Try again in a moment."
            return self._frame.error(PageError(503, message, 5), suffix)

    async def _by_method(self, request: PageRequest) -> Answer | StreamedAnswer:
        if request.method == "POST" and not request.suffix:
            return await self._post(request)
        if request.method != "GET":
            raise PageError(405, "Use GET for this address.")
        async with self._room:
            return await asyncio.to_thread(self._get, request)

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

    def _get(self, request: PageRequest) -> Answer | StreamedAnswer:
        if request.path.startswith(public.START):
            return self._public.show(request.path.removeprefix(public.START), request.suffix)
        now = self._now_ms()
        visitor = self._authenticator.visitor(request, now)
        form = None if request.suffix else FORMS.get(request.path)
        if form and (visitor or form.to_strangers):
            return form.show(self._form(request, visitor, now))
        if visitor is None:
            return self._sign_in_first(request)
        return self._view(request, visitor, now)

    async def _post(self, request: PageRequest) -> Answer:
        if request.path not in FORMS and request.path != "/support":
            _route(request.path)
            raise PageError(405, "This address accepts no forms.")
        check_form(request)
        now = self._now_ms()
        visitor = await asyncio.to_thread(self._authenticator.visitor, request, now)
        form = FORMS.get(request.path)
        if form and (visitor or form.to_strangers):
            return await form.submit(self._form(request, visitor, now))
        if visitor is None:
            raise PageError(403, "Sign in first.")
        return await asyncio.to_thread(self._support, request, visitor, now)

    def _support(self, request: PageRequest, visitor: Visitor, now: int) -> Answer:
        view = self._view_request(request, visitor, now)
        if view is None:
            raise PageError(404, "No event has arrived yet.")
        return redirect(support.update_request(view))

    def _form(self, request: PageRequest, visitor: Visitor | None, now: int) -> FormRequest:
        return FormRequest(self._settings, self._stores, self._frame, self._signing, request, visitor, now)

    def _view(self, request: PageRequest, visitor: Visitor, now: int) -> Answer | StreamedAnswer:
        show = _route(request.path) if request.suffix != "jwe" else None
        view = self._view_request(request, visitor, now)
        if show is None:
            return self._bundle(view)
        if view is None:
            return self._greeting(request, visitor)
        result = result_for(visitor, show(view))
        wanted = request.query.get("table")
        if request.suffix == "json":
            return self._in_pieces(export.view_as_json(view, result, wanted), http.JSON)
        if request.suffix == "csv":
            name, pieces = export.table_as_csv(result, wanted)
            disposition = (b"content-disposition", f'attachment; filename="{name}"'.encode())
            return self._in_pieces(pieces, CSV, disposition)
        return self._html(view, result)

    def _in_pieces(self, pieces: Iterator[bytes], kind: bytes, *headers: Header) -> Answer | StreamedAnswer:
        """A small answer with its length; a larger one is streamed."""
        first = next(pieces)  # If the store fails here, the answer can still say so.
        if len(first) < export.FIRST_PIECE:
            return Answer(200, first, kind, (PRIVATE, *headers))
        return StreamedAnswer(200, self._pieces(chain([first], pieces)), kind, (PRIVATE, *headers))

    def _bundle(self, view: ViewRequest | None) -> StreamedAnswer:
        """A sealed bundle, as it came."""
        if view is None or not view.request.path.startswith("/bundle/"):
            raise PageError(404, "This page does not exist.")
        found = bundles.wanted_bundle(view)
        disposition = f'attachment; filename="bundle-{found.id.hex()[:12]}.jwe"'.encode()
        headers = (
            PRIVATE,
            (b"content-disposition", disposition),
            (b"content-length", str(found.size).encode()),
        )
        parts = bundle_parts(self._stores.control, found.source, found.id)
        return StreamedAnswer(200, self._pieces(parts), JOSE, headers)

    async def _pieces(self, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
        """Pieces of an answer. While the client reads one, other views have their turn."""
        while True:
            async with self._room:
                piece = await asyncio.to_thread(next, pieces, None)
            if piece is None:
                return
            yield piece

    def _html(self, view: ViewRequest, result: ViewResult) -> Answer:
        context = {
            "result": result,
            "view": view,
            "url": view.url,
            "now": view.now,
            "period": view.period,
            "tables": {table.name: table for table in result.tables},
            "periods": NAMED,
            "environments": CHOICES,
            "base": base_address(self._settings, view.request),
            "settings": self._settings,
            "source_word": shlex.quote(view.source.name),
            "support_waiting": len(view.help_requests.waiting),
            **result.context,
            "data": result.data,
        }
        refresh = result.context.get("refresh")
        headers = [refresh_after(refresh)] if refresh else []
        if view.visitor.by == "proxy":  # without a cookie its forms would not be taken
            headers.append(SESSION.write(view.request, view.visitor.secret))
        return self._frame.html(f"{result.name}.html", view.visitor, context, headers=headers)

    def _view_request(self, request: PageRequest, visitor: Visitor, now: int) -> ViewRequest | None:
        """What a view gets; None if no event has ever arrived that the visitor may see."""
        sources = tuple(source for source in self._sources.all() if visitor.may_see(source.id))
        if not any(source.heard for source in sources):
            return None
        try:
            period = read_period(request.query, now)
        except BadPeriod as error:
            raise PageError(400, f"{error}.".capitalize()) from None
        source = _source(sources, request.query.get("source"))
        caches = self._censuses, self._histories
        env = request.environment
        return ViewRequest(self._stores, *caches, request, visitor, source, sources, period, env, now)

    def _greeting(self, request: PageRequest, visitor: Visitor) -> Answer:
        """The page of an empty database: how to connect an agent."""
        if request.suffix:
            json = request.suffix == "json"
            return Answer(200, b"{}\n" if json else b"", http.JSON if json else CSV, (PRIVATE,))
        return show_greeting(self._form(request, visitor, self._now_ms()))

    def _sign_in_first(self, request: PageRequest) -> Answer:
        if request.suffix:
            raise PageError(401, "Send an API token, as `Authorization: Bearer TOKEN`.")
        if not users.any_user(self._stores.control):
            raise PageError(403, CLOSED)
        if request.proxy_user:
            raise PageError(
                403, f"{request.proxy_user} is not a user of this page. An admin can add that name."
            )
        path = request.path + ("?" + urlencode(request.query) if request.query else "")
        return redirect("/signin" if path == "/" else "/signin?" + urlencode({"next": path}))

    def _now_ms(self) -> int:
        return int(self._now() * 1000)


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
