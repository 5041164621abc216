"""Opens the stores that the settings name, and says how another verb opens them."""

from __future__ import annotations

import os
import shlex

from collector.settings import PREFIX, Settings, default_database, events_password, option_password
from collector.store import Stores, open_stores

EVENTS_OPTION = (
    "where events are kept, if not in the database: clickhouse://USER@HOST/DATABASE, without a password"
)


def open_stores_of(settings: Settings, *, make: bool = True) -> Stores:
    """Both stores; `make` says whether to make a database where there is none.

    StoreError or SettingError if one of them cannot be opened.
    """
    return open_stores(settings.db, settings.events, events_password(settings), make=make)


def command_for(settings: Settings, *words: str) -> str:
    """A verb as a person may type it, on the database of these settings. A password is never in it."""
    if settings.db == default_database(os.environ, os.geteuid()):
        return shlex.join(("rollcall-collector", *words))
    if option_password({"db": settings.db}, "db"):
        return f"{shlex.join(('rollcall-collector', *words))} (with {PREFIX}DB as it is here)"
    return shlex.join(("rollcall-collector", *words, "--db", settings.db))
