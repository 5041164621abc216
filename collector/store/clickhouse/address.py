"""Where ClickHouse is: what a URL `clickhouse://USER@HOST:PORT,HOST:PORT/DATABASE?cluster=NAME` says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from collector.store.errors import StoreError

DEFAULT_PORT = 8123
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Host = tuple[str, int]


@dataclass(frozen=True)
class Address:
    """Servers that all know the same data, a database on them, and the cluster that they form, if any."""

    hosts: tuple[Host, ...]
    database: str
    user: str = "default"
    password: str = field(default="", repr=False)
    cluster: str = ""


def read_address(url: str, password: str = "") -> Address:
    """The parts of a URL; the password from elsewhere counts more than one in the URL."""
    try:
        return _read_address(url, password)
    except ValueError:
        raise StoreError(
            "the URL of the events must be clickhouse://USER@HOST/DATABASE, with a comma between several"
            " hosts, and ?cluster=NAME behind it for the tables of a cluster"
        ) from None


def _read_address(url: str, password: str) -> Address:
    scheme, _, rest = url.partition("://")  # urlsplit takes no brackets within a list of hosts
    netloc, _, rest = rest.partition("/")
    path, _, query = rest.partition("?")
    login, _, places = netloc.rpartition("@")
    user, _, own = login.partition(":")
    database = unquote(path.strip("/"))
    more = parse_qs(query, keep_blank_values=True, strict_parsing=bool(query))
    (cluster,) = more.pop("cluster", [""])
    named = [database, cluster] if query else [database]
    if scheme != "clickhouse" or more or not all(map(_NAME.fullmatch, named)):
        raise ValueError
    hosts = tuple(map(_host, places.split(",")))
    return Address(hosts, database, unquote(user) or "default", password or unquote(own), cluster)


def _host(place: str) -> Host:
    parts = urlsplit(f"//{place}")
    if not parts.hostname:
        raise ValueError
    return parts.hostname, parts.port or DEFAULT_PORT
