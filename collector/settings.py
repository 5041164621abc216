"""All settings of the collector. The docs, `--help` and the parser use this one table."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from collector.base.hours import QUIET, WEEKLY, QuietHours, WeeklyTime, read_quiet, read_weekly
from collector.base.keep import DEFAULT, Keep, read_keep
from collector.base.peers import Network
from collector.base.written import (
    FROM_ONE,
    FROM_ZERO,
    MOST_WORKERS,
    NETWORKS,
    NO_ADDRESS,
    SECONDS,
    SIZE,
    read_allowed,
    read_count,
    read_db,
    read_events,
    read_header,
    read_listen,
    read_networks,
    read_rate,
    read_size,
    read_timeout,
    read_url,
    read_workers,
)

PREFIX = "ROLLCALL_COLLECTOR_"
DEFAULT_LISTEN = "127.0.0.1:8787"


class SettingError(Exception):
    """A wrong setting. The message is one line: its name, where it came from and what it must be."""

    def __init__(self, name: str, source: str, rule: str) -> None:
        super().__init__(f"{name} from {source}: {rule}")


@dataclass(frozen=True)
class Setting:
    """One setting: its name without the prefix, its default and its meaning."""

    name: str
    default: str
    meaning: str
    parse: Callable[[str], Any]
    accepted: str


@dataclass(frozen=True)
class Settings:
    """The settings as parsed; the fields are the names in lower case."""

    listen: tuple[str, int]
    workers: int
    db: str
    events: str
    events_password_file: str
    public_url: str
    trusted_proxies: tuple[Network, ...]
    auth_header: str
    metrics_allow: tuple[Network, ...] | None
    rate: float
    peer_rate: float
    daily: int
    keep: Keep
    disk_free: int
    max_db: int
    bundles: int
    max_connections: int
    timeout: float
    memory: int
    alerts_file: str
    alerts_quiet: QuietHours | None
    alerts_digest: WeeklyTime | None
    token: str


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "LISTEN",
        DEFAULT_LISTEN,
        "address to listen on; port 0 means any free port",
        read_listen,
        "HOST:PORT",
    ),
    Setting(
        "WORKERS",
        "1",
        "server processes on that port; more than one only with PostgreSQL",
        read_workers,
        f"a whole number from 1 to {MOST_WORKERS}",
    ),
    Setting(
        "DB",
        "",
        "the database, `sqlite:////PATH` or `postgresql://…`. If unset: `collector.db` in systemd's"
        " `STATE_DIRECTORY`, for root in `/var/lib/rollcall-collector`, otherwise in"
        " `$XDG_STATE_HOME/rollcall-collector`",
        read_db,
        "sqlite:///PATH or postgresql://…",
    ),
    Setting(
        "EVENTS",
        "",
        "where events are kept, if not in the database: `clickhouse://USER@HOST:PORT/DATABASE`, with"
        " commas between several servers and `?cluster=NAME` for a cluster. See"
        " [scaling.md](scaling.md)",
        read_events,
        "clickhouse://USER@HOST/DATABASE",
    ),
    Setting(
        "EVENTS_PASSWORD_FILE",
        "",
        "the file with the password for `EVENTS`",
        str,
        "a path",
    ),
    Setting(
        "PUBLIC_URL",
        "",
        "address that clients use, e.g. `https://rollcall.example`",
        read_url,
        "http(s)://HOST",
    ),
    Setting(
        "TRUSTED_PROXIES",
        "",
        "proxies that may name the client in `X-Forwarded-For`, e.g. `127.0.0.1,10.0.0.0/8`",
        read_networks,
        NETWORKS,
    ),
    Setting(
        "AUTH_HEADER",
        "",
        "header in which a trusted proxy names the user that it signed in, e.g. `X-Auth-User`; see the page",
        read_header,
        "the name of a header",
    ),
    Setting(
        "METRICS_ALLOW",
        "",
        "addresses that may read `/metrics`, or `none`. If unset: `127.0.0.0/8,::1`, but not for the host in"
        " `PUBLIC_URL`",
        read_allowed,
        f"{NETWORKS}, or {NO_ADDRESS}",
    ),
    Setting(
        "RATE",
        "1000",
        "events per second with one write key, and as many KiB; 0 means no limit",
        read_rate,
        FROM_ZERO,
    ),
    Setting(
        "PEER_RATE",
        "100",
        "events per second from one address, and as many KiB; 0 means no limit",
        read_rate,
        FROM_ZERO,
    ),
    Setting(
        "DAILY",
        "1G",
        "bytes of disk that one write key may add in 24 hours, e.g. `512M` or `8G`; 0 means no limit",
        read_size,
        SIZE,
    ),
    Setting(
        "KEEP",
        DEFAULT,
        "how long things are kept, in whole days; `0` is for ever. One duration alone is for everything; what"
        " is left out is as in the default. See [What is kept](#what-is-kept)",
        read_keep,
        f"words such as {DEFAULT}, or one duration for all; 0 means for ever",
    ),
    Setting(
        "DISK_FREE",
        "256M",
        "bytes that stay free on the disk of an SQLite database; below, no events are taken",
        read_size,
        SIZE,
    ),
    Setting(
        "MAX_DB",
        "0",
        "bytes of the database from which no events are taken; 0 means no limit",
        read_size,
        SIZE,
    ),
    Setting(
        "BUNDLES",
        "256M",
        "bytes of sealed support bundles that each source may have; 0 takes none",
        read_size,
        SIZE,
    ),
    Setting(
        "MAX_CONNECTIONS",
        "1000",
        "maximum number of open connections; one address may have half of them",
        read_count,
        FROM_ONE,
    ),
    Setting(
        "TIMEOUT", "10", "seconds that a request may take to arrive, or to be stored", read_timeout, SECONDS
    ),
    Setting(
        "MEMORY",
        "16777216",
        "bytes of waiting requests; an eighth is for those without a known key in the header",
        read_count,
        FROM_ONE,
    ),
    Setting(
        "ALERTS_FILE",
        "",
        "a file with the URLs of apprise to which [alerts](#alerts) are sent; without it there are none",
        str,
        "a path",
    ),
    Setting(
        "ALERTS_QUIET",
        "",
        "hours in which only urgent alerts are sent, e.g. `22:00-07:00` (UTC)",
        read_quiet,
        QUIET,
    ),
    Setting(
        "ALERTS_DIGEST",
        "mon 08:00",
        "when the week is told in a message (UTC), or `off`",
        read_weekly,
        WEEKLY,
    ),
    Setting(
        "TOKEN",
        "",
        "on a member's machine: an API token with the role support, for `bundles` and `members join`",
        str,
        "a token",
    ),
)


def read_settings(environ: Mapping[str, str], options: Mapping[str, str | None] | None = None) -> Settings:
    """Settings from options, else the environment, else defaults. Raises SettingError."""
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
            raise SettingError(name, source, f"must be {setting.accepted}") from None
    for name, instead in (("db", "DB or PGPASSFILE"), ("events", "EVENTS_PASSWORD_FILE")):
        if option_password(options, name):
            hint = f"everybody can see a password on a command line; use {PREFIX}{instead}"
            raise SettingError(f"--{name}", "the command line", hint)
    if values["workers"] > 1 and values["db"].startswith("sqlite:"):
        given = (options or {}).get("workers") is not None
        name, source = ("--workers", "the command line") if given else (f"{PREFIX}WORKERS", "the environment")
        raise SettingError(name, source, f"one process writes an SQLite file; for more, set {PREFIX}DB")
    if values["auth_header"] and not values["trusted_proxies"]:
        hint = f"is heeded from trusted proxies alone; set {PREFIX}TRUSTED_PROXIES too"
        raise SettingError(f"{PREFIX}AUTH_HEADER", "the environment", hint)
    return Settings(**values)


def option_password(options: Mapping[str, str | None] | None, name: str) -> bool:
    """Whether the URL of an option contains a password, before the host or as a parameter."""
    try:
        url = urlsplit((options or {}).get(name) or "")
    except ValueError:
        raise SettingError(f"--{name}", "the command line", "is not a URL") from None
    return url.password is not None or "password=" in url.query.lower()


def events_password(settings: Settings) -> str:
    """The password for the events; empty if there is no file for it. Raises SettingError."""
    if not settings.events_password_file:
        return ""
    try:
        with open(settings.events_password_file, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it must be UTF-8 text"
        name = f"{PREFIX}EVENTS_PASSWORD_FILE"
        raise SettingError(name, "the environment", f"the file cannot be read: {why}") from None


def default_database(environ: Mapping[str, str], uid: int) -> str:
    """The database that is used if none is set."""
    if environ.get("STATE_DIRECTORY"):
        folder = environ["STATE_DIRECTORY"].split(":")[0]
    elif uid == 0:
        folder = "/var/lib/rollcall-collector"
    else:
        home = environ.get("XDG_STATE_HOME") or os.path.join(environ.get("HOME", "."), ".local", "state")
        folder = os.path.join(home, "rollcall-collector")
    return "sqlite:///" + quote(os.path.join(folder, "collector.db"))
