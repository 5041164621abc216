"""The settings that browser libraries ask for before they send. They say: send everything here."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from collector.base import http
from collector.base.http import Answer, Scope
from collector.ingest.api import OPEN, json_error, preflight

# Segment's library asks its CDN, at an address with the key in it.
SEGMENT = re.compile(r"/v1/projects/([^/]+)/settings\Z")
# RudderStack's library asks its control plane.
RUDDERSTACK = "/sourceConfig"


def is_bootstrap(path: str) -> bool:
    return path == RUDDERSTACK or SEGMENT.match(path) is not None


def library_settings(path: str, scope: Scope, public_url: str) -> Answer:
    """The settings of the library that asks. They hold nothing that it did not say itself."""
    if scope["method"] == "OPTIONS":
        return http.with_headers(preflight(scope, "GET, HEAD, OPTIONS"), OPEN)
    if scope["method"] not in ("GET", "HEAD"):
        refused = json_error(405, "method", "use GET")
        return http.with_headers(refused, [(b"allow", b"GET, HEAD, OPTIONS"), *OPEN])
    asked = SEGMENT.match(path)
    base = public_url or f"{scope['scheme']}://{http.header(scope, b'host')}"
    body = _segment(asked.group(1), base) if asked else _rudderstack()
    return Answer(200, msgspec.json.encode(body), headers=(*OPEN, (b"cache-control", b"no-store")))


def _segment(key: str, base: str) -> dict[str, Any]:
    protocol, _, host = base.partition("://")
    segment = {"apiKey": key, "apiHost": f"{host}/v1", "protocol": protocol}
    return {"integrations": {"Segment.io": segment}, "plan": {}, "metrics": {"sampleRate": 0}}


def _rudderstack() -> dict[str, Any]:
    """A source without destinations: its events go to the data plane that the site named."""
    reports = {"errors": {"enabled": False}, "metrics": {"enabled": False}}
    source = {
        "id": "rollcall",
        "name": "rollcall",
        "enabled": True,
        "config": {"statsCollection": reports},
        "destinations": [],
    }
    return {"source": source}
