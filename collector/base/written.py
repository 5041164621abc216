"""How the values of settings are written."""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

from collector.base.peers import Network

LAST_PORT = 65535
MOST_WORKERS = 64
LARGEST_SIZE = 2**63 - 1  # a column of a database holds no larger number
SHORTEST_SECONDS, LONGEST_SECONDS = 0.001, 3600

NETWORKS = "addresses and networks, separated by commas"
NO_ADDRESS = "none"
SIZE = "a number of bytes, or one with K, M, G or T behind it"
FROM_ZERO = "0 or a larger number"
FROM_ONE = "a whole number, 1 or larger"
SECONDS = f"a number of seconds from {SHORTEST_SECONDS} to {LONGEST_SECONDS}"


def read_listen(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > LAST_PORT:
        raise ValueError
    return host.strip("[]") or "127.0.0.1", int(port)


def read_url(text: str) -> str:
    if text and (urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).hostname):
        raise ValueError
    return text.rstrip("/")


def read_db(text: str) -> str:
    plain = text.startswith("sqlite:///")
    if not plain and (
        not text.startswith(("postgresql://", "postgres://")) or urlsplit(text).netloc.count("@") > 1
    ):
        raise ValueError
    return text


def read_events(text: str) -> str:
    hosts, name = r"([^@/]+@)?[^@/,]+(,[^@/,]+)*", r"[A-Za-z_]\w*"
    if text and not re.fullmatch(rf"clickhouse://{hosts}/{name}(\?cluster={name})?", text, re.ASCII):
        raise ValueError
    return text


def read_networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def read_allowed(text: str) -> tuple[Network, ...] | None:
    """The networks; no network for `none`, and None if nothing is set."""
    return read_networks("" if text == NO_ADDRESS else text) if text else None


def read_header(text: str) -> str:
    if text and not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", text):
        raise ValueError
    return text.lower()


def read_number(lowest: float, highest: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        number = float(text)
        if not lowest <= number <= highest:
            raise ValueError
        return number

    return parse


def read_size(text: str) -> int:
    """The bytes in `512M`, `6G` or `1048576`."""
    match = re.fullmatch(r"([0-9]{1,15})([KMGT]?)", text.upper().removesuffix("IB"))
    if match is None:
        raise ValueError
    size = int(match[1]) << 10 * " KMGT".index(match[2] or " ")
    if size > LARGEST_SIZE:
        raise ValueError
    return size


def write_size(size: float) -> str:
    """`1.5 MiB`."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:  # noqa: PLR2004 - the step between units
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} TiB"


read_rate = read_number(0, sys.float_info.max)
read_timeout = read_number(SHORTEST_SECONDS, LONGEST_SECONDS)


def read_count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError
    return count


def read_workers(text: str) -> int:
    count = read_count(text)
    if count > MOST_WORKERS:
        raise ValueError
    return count
