"""The way to a server: through which proxy, and whose certificates are trusted."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.config.access import Access

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name certificates to trust instead of the system's, as in requests and curl."""


class Unpassable(Exception):  # noqa: N818 - reads as what it says
    """As things are set, no request can be made; the text says which setting would help."""


class Route(NamedTuple):
    """The proxy's URL, empty for none, and the name of the setting or variable that chose it."""

    proxy: str = ""
    setting: str = ""


def find_route(url: str, access: Access) -> Route:
    """ROLLCALL_PROXY, else what the environment says for this URL."""
    if access.proxy:
        return Route(access.proxy, "ROLLCALL_PROXY")
    proxies = get_environ_proxies(url, no_proxy=None)
    scheme = url.partition(":")[0]
    name = f"{scheme.upper()}_PROXY" if scheme in proxies else "ALL_PROXY"
    return Route(select_proxy(url, proxies) or "", name)


def open_session(url: str, route: Route, ca_file: str) -> requests.Session:
    """A session that goes this way: no .netrc, no other proxy. Unpassable where it cannot be gone."""
    if route.proxy.lower().startswith("socks"):
        raise Unpassable(
            f"{route.setting} names a SOCKS proxy, which is not supported;"
            " set ROLLCALL_PROXY to an HTTP proxy"
        )
    session = requests.Session()
    session.trust_env = False
    if route.proxy:
        session.proxies = {"http": route.proxy, "https": route.proxy}
    if "https:" in (url[:6].lower(), route.proxy[:6].lower()):
        trust_system(session, os.environ, ca_file)
    return session


def trust_system(session: requests.Session, environ: Mapping[str, str], ca_file: str) -> None:
    """Trust the system's certificates and those of `ca_file`, not the list that comes with requests."""
    adapter = _Adapter(_context(environ, ca_file))
    session.mount("https://", adapter)
    session.mount("http://", adapter)  # a proxy may speak https


def _context(environ: Mapping[str, str], ca_file: str) -> ssl.SSLContext:
    name, place = next(((name, environ[name]) for name in BUNDLES if environ.get(name)), ("", ""))
    try:
        if name:
            folder = os.path.isdir(place)
            context = ssl.create_default_context(
                cafile=None if folder else place, capath=place if folder else None
            )
        else:
            context = ssl.create_default_context()
            if not _system_has_certificates():
                context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
        name = "ROLLCALL_CA_FILE"
        if ca_file:
            context.load_verify_locations(ca_file)
    except OSError as why:
        raise Unpassable(f"the CA file of {name} cannot be used ({why.strerror or why}); check it") from None
    return context


def _system_has_certificates() -> bool:
    """Whether there are any where OpenSSL looks, or where SSL_CERT_FILE and SSL_CERT_DIR say."""
    paths = ssl.get_default_verify_paths()
    try:
        return bool(paths.cafile or (paths.capath and os.listdir(paths.capath)))
    except OSError:
        return False


class _Adapter(HTTPAdapter):
    """requests' own, with our TLS context for every connection, to a proxy too."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)  # type: ignore[arg-type]

    def proxy_manager_for(self, proxy: str, **kwargs: object) -> object:
        kwargs |= {"ssl_context": self._context, "proxy_ssl_context": self._context}
        return super().proxy_manager_for(proxy, **kwargs)

    def build_connection_pool_key_attributes(  # type: ignore[override]  # its types are private
        self,
        request: requests.PreparedRequest,
        verify: bool | str,  # noqa: FBT001 - as in requests
        cert: str | tuple[str, str] | None = None,
    ) -> object:
        """Some releases of requests put a context of their own in here."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {**pool, "ssl_context": self._context}

    def cert_verify(self, conn: object, url: str, verify: object, cert: object) -> None:
        """The context has the certificates, and always verifies."""
