"""Every setting of the collector, once: the docs, `--help` and parsing are drawn from this table."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from collector.base.peers import Network

PREFIX = "ROLLCALL_COLLECTOR_"
LAST_PORT = 65535
LONGEST_SECONDS = 3600


class SettingError(Exception):
    """A setting that does not parse: its name, where it came from and what is accepted, in a line."""

    def __init__(self, name: str, source: str, accepted: str) -> None:
        super().__init__(f"{name} from {source}: {accepted}")


@dataclass(frozen=True)
class Setting:
    """One setting: its name without the prefix, what it is when unset, and what it means."""

    name: str
    default: str
    meaning: str
    parse: Callable[[str], Any]
    accepted: str


@dataclass(frozen=True)
class Settings:
    """The settings as parsed; the fields are the names in lower case."""

    listen: tuple[str, int]
    db: str
    public_url: str
    trusted_proxies: tuple[Network, ...]
    metrics_allow: tuple[Network, ...]
    rate: float
    peer_rate: float
    max_connections: int
    timeout: float
    memory: int


def _listen(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > LAST_PORT:
        raise ValueError
    return host.strip("[]") or "127.0.0.1", int(port)


def _url(text: str) -> str:
    if text and (urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).hostname):
        raise ValueError
    return text.rstrip("/")


def _db(text: str) -> str:
    plain = text.startswith("sqlite:///")
    if not plain and (
        not text.startswith(("postgresql://", "postgres://")) or urlsplit(text).netloc.count("@") > 1
    ):
        raise ValueError
    return text


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 <= rate < float("inf"):
        raise ValueError
    return rate


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError
    return count


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= LONGEST_SECONDS:
        raise ValueError
    return seconds


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "LISTEN", "127.0.0.1:8787", "where to listen; port 0 lets the kernel choose", _listen, "HOST:PORT"
    ),
    Setting(
        "DB",
        "",
        "the database, `sqlite:////PATH` or `postgresql://…`; unset: `collector.db` in systemd's"
        " `STATE_DIRECTORY`, for root in `/var/lib/rollcall-collector`, else in"
        " `$XDG_STATE_HOME/rollcall-collector`",
        _db,
        "sqlite:///PATH or postgresql://…",
    ),
    Setting(
        "PUBLIC_URL",
        "",
        "the address that clients use, e.g. `https://rollcall.example`",
        _url,
        "http(s)://HOST",
    ),
    Setting(
        "TRUSTED_PROXIES",
        "",
        "proxies whose `X-Forwarded-For` names the peer, e.g. `127.0.0.1,10.0.0.0/8`",
        _networks,
        "addresses and networks, separated by commas",
    ),
    Setting(
        "METRICS_ALLOW",
        "127.0.0.0/8,::1",
        "peers that may read `/metrics`",
        _networks,
        "addresses and networks, separated by commas",
    ),
    Setting(
        "RATE", "50000", "events a second that a source may send; 0 is no limit", _rate, "a number from 0"
    ),
    Setting(
        "PEER_RATE", "10000", "events a second that a peer may send; 0 is no limit", _rate, "a number from 0"
    ),
    Setting("MAX_CONNECTIONS", "1000", "connections at a time", _count, "a whole number from 1"),
    Setting(
        "TIMEOUT",
        "10",
        "seconds that a request may take to arrive, or to be stored",
        _seconds,
        "0 < N <= 3600",
    ),
    Setting(
        "MEMORY",
        "16777216",
        "bytes of requests that may wait at a time, half of them a peer's",
        _count,
        "a whole number from 1",
    ),
)


def read_settings(environ: Mapping[str, str], options: Mapping[str, str | None] | None = None) -> Settings:
    """Settings from options, then the environment, then defaults; SettingError names what is wrong."""
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        option = (options or {}).get(setting.name.lower())
        text = option if option is not None else environ.get(PREFIX + setting.name, "")
        name = f"--{setting.name.lower()}" if option is not None else PREFIX + setting.name
        source = "the command line" if option is not None else "the environment"
        if setting.name == "DB" and not text.strip():
            text = default_database(environ, os.geteuid())
        try:
            values[setting.name.lower()] = setting.parse(text.strip() or setting.default)
        except ValueError:
            raise SettingError(name, source, f"accepted is {setting.accepted}") from None
    if option_password(options):
        hint = f"a password in a command line is visible to all; use {PREFIX}DB or PGPASSFILE"
        raise SettingError("--db", "the command line", hint)
    return Settings(**values)


def option_password(options: Mapping[str, str | None] | None) -> bool:
    """Whether `--db` bears a password, in the authority or as a parameter."""
    url = urlsplit((options or {}).get("db") or "")
    return url.password is not None or "password=" in url.query.lower()


def default_database(environ: Mapping[str, str], uid: int) -> str:
    """The database where none is named."""
    if environ.get("STATE_DIRECTORY"):
        folder = environ["STATE_DIRECTORY"].split(":")[0]
    elif uid == 0:
        folder = "/var/lib/rollcall-collector"
    else:
        home = environ.get("XDG_STATE_HOME") or os.path.join(environ.get("HOME", "."), ".local", "state")
        folder = os.path.join(home, "rollcall-collector")
    return "sqlite:///" + quote(os.path.join(folder, "collector.db"))


def settings_table() -> str:
    """The settings as the table in docs/collector.md."""
    lines = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else "unset"
        lines.append(f"| `{PREFIX}{setting.name}` | {default} | {setting.meaning} |")
    return "\n".join(lines)
