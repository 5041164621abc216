"""Opens the stores that the settings name."""

from __future__ import annotations

from collector.settings import Settings, events_password
from collector.store import Stores, open_stores

EVENTS_OPTION = (
    "where events are kept, if not in the database: clickhouse://USER@HOST/DATABASE, without a password"
)


def open_stores_of(settings: Settings, *, make: bool = True) -> Stores:
    """Both stores; `make` says whether to make a database where there is none.

    StoreError or SettingError if one of them cannot be opened.
    """
    return open_stores(settings.db, settings.events, events_password(settings), make=make)
