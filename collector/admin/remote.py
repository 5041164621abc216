"""A collector's API, asked from a member's own machine. What it answers is checked, and never trusted."""

from __future__ import annotations

import ipaddress
import json
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import requests

from collector.admin import AdminError
from collector.base.sealed import MAX_SEALED

SECONDS = 30.0
MOST_JSON = 8 * 2**20
CHUNK = 256 * 1024
OK = 200


class RemoteBundle(NamedTuple):
    """What a collector says of a bundle that it has."""

    id: str
    arrived: str
    size: int
    run: str | None
    key: str  # thumbprint


class Remote:
    """One collector, and the token that opens it."""

    def __init__(self, base: str, token: str = "") -> None:
        self._base, self._token = checked_base(base), token

    def get(self, path: str, **query: str | None) -> dict[str, Any]:
        """The JSON at a path. AdminError if it is none, or refused."""
        given = urlencode({name: value for name, value in query.items() if value})
        return self._json("GET", f"{path}?{given}" if given else path, None)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON that answers a body."""
        return self._json("POST", path, body)

    def bundles(self, source: str | None = None) -> list[RemoteBundle]:
        """The bundles of a source, newest first; without a source, of the first that has events."""
        page = self.get("/bundles.json", source=source)
        if not page:  # no event has arrived yet
            return []
        try:
            found = [
                RemoteBundle(
                    str(row["id"]), str(row["arrived"]), int(row["size"]), row["run"], str(row["key"])
                )
                for row in page["tables"]["bundles"]
            ]
        except (TypeError, KeyError, ValueError):
            raise AdminError("the collector's list of bundles cannot be read") from None
        if not all(str(value).isprintable() for one in found for value in one):  # a terminal would obey it
            raise AdminError("the collector's list of bundles cannot be read")
        return found

    def fetch(self, bundle: str) -> bytes:
        """The sealed bytes. AdminError if their SHA-256 is another one."""
        data = self._ask("GET", f"/bundle/{bundle}.jwe", None, MAX_SEALED)
        if sha256(data).hexdigest() != bundle:
            raise AdminError("what the collector sent is not this bundle: its SHA-256 is another one")
        return data

    def _json(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        data = self._ask(method, path, body, MOST_JSON)
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise AdminError(f"{self._base} does not answer as a collector does")
        return found

    def _ask(self, method: str, path: str, body: dict[str, Any] | None, most: int) -> bytes:
        try:
            with requests.request(
                method,
                self._base + path,
                json=body,
                headers={"Accept-Encoding": "identity"},
                auth=self._authorized,
                timeout=SECONDS,
                allow_redirects=False,
                stream=True,
            ) as answer:
                data = b""
                for chunk in answer.iter_content(CHUNK):
                    data += chunk
                    if len(data) > most:
                        raise AdminError("the collector sends more than it may")
        except requests.RequestException as why:
            raise AdminError(f"{self._base} cannot be reached: {type(why).__name__}") from None
        if answer.status_code != OK:
            raise AdminError(f"{self._base} answers {answer.status_code}: {_reason(data)}")
        return data

    def _authorized(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """With our token alone: requests would put a password from .netrc in its place."""
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def checked_base(base: str) -> str:
    """The address, without a slash at its end. AdminError where a secret would go unencrypted."""
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AdminError(f"{base!r} is not an address of a collector; write https://HOST")
    if parts.scheme == "http" and not _is_here(parts.hostname):
        raise AdminError(f"{base} is not encrypted; use https")
    return base.rstrip("/")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(data: bytes) -> str:
    """The message of a refusal, as far as it is one line of text."""
    try:
        text = str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "no reason"
    return text[:200] if text.isprintable() else "no reason"
