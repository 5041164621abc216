"""The ASGI application: the tracking API, the operator's endpoints, and the page for the rest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from collector.base import http
from collector.base.http import Answer, App, Receive, Scope, Send
from collector.ingest import bundles
from collector.ingest.allowance import Allowance
from collector.ingest.api import OPEN, Tracking, json_error
from collector.ingest.disk import DiskGuard, DiskWatch
from collector.ingest.forget import Forgetting
from collector.ingest.keyring import KeyRing
from collector.ingest.member import Member
from collector.ingest.metrics import REFRESH_SECONDS, Metrics
from collector.ingest.rejects import RejectCounter
from collector.ingest.writer import Writer
from collector.serve import members
from collector.serve.bootstrap import is_bootstrap, library_settings
from collector.serve.crowd import CrowdedPage
from collector.serve.fleet import FleetMetrics
from collector.serve.metrics_access import may_read_metrics
from collector.serve.openapi import openapi_document
from collector.serve.releases import ReleaseFiles
from collector.settings import Settings
from collector.store import StoreError, Stores

READY_SECONDS = 1.0
METRICS = "/metrics"
# Below these no page is looked for: who asks there is a program.
API = ("/v1/", "/beacon/")


class Site:
    """One server's answers by path."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        disk: DiskWatch,
        writer: Writer,
        page: App,
        member: Member | None = None,
    ) -> None:
        self._settings, self._stores, self._writer = settings, stores, writer
        self._metrics = Metrics(member)
        others = {"others": member.account} if member else {}
        allowance = Allowance(settings, time.time, time.monotonic, **others)
        ring = KeyRing(
            stores,
            time.monotonic,
            settings.timeout,
            changed=allowance.update,
            counting=allowance.begin_count,
        )
        self.rejects = RejectCounter(stores.control, time.time)
        self._disk = DiskGuard(disk)
        forgetting = Forgetting(stores, allowance, time.time, time.monotonic)
        self._tracking = Tracking(
            settings, ring, writer, self.rejects, self._metrics, allowance, self._disk, forgetting
        )
        self._releases = ReleaseFiles(stores.control, time.monotonic, settings.timeout)
        self._bundles = bundles.BundleIntake(
            settings, stores.control, ring, self._metrics, allowance, self._disk
        )
        self._fleet = FleetMetrics(stores)
        self._members = members.MembersApi(settings, stores.control, allowance, time.time, time.monotonic)
        self._page = CrowdedPage(page, settings, time.monotonic)
        self._ready_lock, self._ready_checked, self._ready = asyncio.Lock(), float("-inf"), False
        self._metrics.watch(
            writer.tally,
            lambda: self._tracking.memory.used,
            lambda: writer.away,
            lambda: self._disk.has_no_room,
        )
        self._own: dict[str, Callable[[Scope], Awaitable[Answer]]] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            METRICS: self._exposition,
            "/openapi.json": self._openapi,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = "/" + scope["path"].strip("/")
        if self._tracking.serves(path):
            await self._tracking(path, scope, receive, send)
        elif path == bundles.PATH:
            await self._bundles(scope, receive, send)
        elif path.startswith(members.PREFIX):
            await self._members(path, scope, receive, send)
        elif (answer := await self._answer(path, scope)) is not None:
            await answer.send(send, head=scope["method"] == "HEAD")
        else:
            await self._page(scope, receive, send)

    async def tell_others(self) -> None:
        """Until cancelled, let the other workers know how this one is."""
        while True:
            self._metrics.refresh()
            await asyncio.sleep(REFRESH_SECONDS)

    async def _answer(self, path: str, scope: Scope) -> Answer | None:
        """What the server itself answers; None for what is left to the page."""
        if is_bootstrap(path):
            return library_settings(path, scope, self._settings.public_url)
        if own := self._own.get(path) or self._releases.find(path):
            if scope["method"] not in ("GET", "HEAD"):
                return Answer(405, b"use GET\n", http.TEXT, ((b"allow", b"GET, HEAD"),))
            return await own(scope)
        if f"{path}/".startswith(API):
            return http.with_headers(
                json_error(404, "not_found", "see /openapi.json for what there is"), OPEN
            )
        return None

    async def _healthz(self, _: Scope) -> Answer:
        return Answer(200, b"ok\n", http.TEXT)

    async def _readyz(self, _: Scope) -> Answer:
        """Whether the store answers and has room; checked at most once a second."""
        async with self._ready_lock:
            if time.monotonic() - self._ready_checked > READY_SECONDS:
                self._ready = await self._store_answers()
                self._ready_checked = time.monotonic()
        if not self._ready:
            return Answer(503, b"the store does not answer\n", http.TEXT)
        if shortage := await self._disk.look():
            return Answer(503, f"no events are taken: {shortage}\n".encode(), http.TEXT)
        return Answer(200, b"ready\n", http.TEXT)

    async def _store_answers(self) -> bool:
        try:
            await asyncio.wait_for(asyncio.to_thread(self._stores.ping), self._settings.timeout)
        except (StoreError, asyncio.TimeoutError):
            return False
        return True

    async def _exposition(self, scope: Scope) -> Answer:
        if scope["raw_path"] != METRICS.encode():  # a proxy that refuses the path refuses this spelling alone
            return Answer(404, f"the metrics are at {METRICS}\n".encode(), http.TEXT)
        if not may_read_metrics(scope, self._settings):
            message = (
                b"no metrics for this address or through a proxy; see ROLLCALL_COLLECTOR_METRICS_ALLOW\n"
            )
            return Answer(403, message, http.TEXT)
        body = self._metrics.exposition() + await self._fleet.exposition()
        return Answer(200, body, b"text/plain; version=0.0.4; charset=utf-8")

    async def _openapi(self, _: Scope) -> Answer:
        return Answer(200, msgspec.json.encode(openapi_document()), headers=OPEN)
