"""A request to the page, and the error that answers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from collector.base import http
from collector.base.environments import CHOICES, PRODUCTION
from collector.base.http import Scope
from collector.base.peers import in_networks, peer_of
from collector.settings import Settings

SUFFIXES = ("json", "csv", "jwe")
MOST_FIELDS = 50
HTML = b"text/html; charset=utf-8"


class PageError(Exception):
    """An error page: a status and a sentence for the reader."""

    def __init__(self, status: int, text: str, retry: int | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.retry = status, text, retry


@dataclass(frozen=True)
class PageRequest:
    """What was requested, and by whom. Only `peer`, `secure` and `proxy_user` can be trusted."""

    method: str
    path: str
    suffix: str  # "", "json" or "csv"; "jwe" of a sealed bundle
    query: Mapping[str, str]
    form: Mapping[str, str] = field(repr=False)
    cookies: Mapping[str, str] = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    address: str  # of the connection
    peer: str  # behind trusted proxies
    secure: bool
    proxy_user: str  # whom a trusted proxy has signed in, or empty

    @property
    def environment(self) -> str:
        """Whose installs are shown. PageError where the address names no environment."""
        wanted = self.query.get("env") or PRODUCTION
        if wanted not in CHOICES:
            raise PageError(400, f"`env` must be one of {', '.join(CHOICES)}.")
        return wanted

    def header(self, name: str) -> str:
        """The first header of that name, or empty."""
        return next((value for key, value in self.headers if key == name), "")


def base_address(settings: Settings, request: PageRequest) -> str:
    """The address that agents send to, as far as the page knows it."""
    scheme = "https" if request.secure else "http"
    return settings.public_url or f"{scheme}://{request.header('host')}"


def path_and_suffix(scope: Scope) -> tuple[str, str]:
    """The path of a view, and in which form a program asks for it; a page has no suffix."""
    path = "/" + scope["path"].strip("/")
    stem, dot, suffix = path.rpartition(".")
    return (stem, suffix) if dot and suffix in SUFFIXES else (path, "")


def read_request(scope: Scope, body: bytes, settings: Settings) -> PageRequest:
    """The request in an ASGI scope and its body."""
    path, suffix = path_and_suffix(scope)
    address = (scope.get("client") or ("", 0))[0]
    headers = tuple(
        (bytes(k).decode("latin-1").lower(), bytes(v).decode("latin-1")) for k, v in scope["headers"]
    )
    return PageRequest(
        method="GET" if scope["method"] == "HEAD" else scope["method"],
        path=path,
        suffix=suffix,
        query=_fields(scope.get("query_string", b"")),
        form=_fields(body),
        cookies=_cookies(http.header(scope, b"cookie")),
        headers=headers,
        address=address,
        peer=peer_of(address, http.headers(scope, b"x-forwarded-for"), settings.trusted_proxies),
        secure=_is_secure(scope, address, settings),
        proxy_user=_proxy_user(headers, address, settings),
    )


def _is_secure(scope: Scope, address: str, settings: Settings) -> bool:
    """Whether the browser uses TLS, by the socket, the settings or a trusted proxy."""
    if scope.get("scheme") == "https" or settings.public_url.startswith("https:"):
        return True
    proxied = in_networks(settings.trusted_proxies, address)
    return proxied and http.header(scope, b"x-forwarded-proto").strip().lower() == "https"


def _proxy_user(headers: tuple[tuple[str, str], ...], address: str, settings: Settings) -> str:
    """The user whom a trusted proxy names; empty if none, or if the header came more than once."""
    if not settings.auth_header or not in_networks(settings.trusted_proxies, address):
        return ""
    named = [value for name, value in headers if name == settings.auth_header]
    if len(named) != 1:
        return ""
    return named[0].encode("latin-1").decode("utf-8", "replace").strip()


def _fields(text: bytes) -> dict[str, str]:
    """Fields of a form or query; the last one wins. Without NUL, which no store accepts."""
    try:
        pairs = parse_qsl(text.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise PageError(400, "The address or form has too many fields.") from None
    return {name: value.replace("\0", "") for name, value in pairs}


def _cookies(text: str) -> dict[str, str]:
    """Cookies by name, unchanged. http.cookies would drop all if it rejects one, and undo escapes."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}
