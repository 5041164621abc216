"""Opens the stores that the settings name."""

from __future__ import annotations

from collector.settings import Settings, events_password
from collector.store import Stores, open_stores


def open_stores_of(settings: Settings) -> Stores:
    """Both stores. StoreError or SettingError if one of them cannot be opened."""
    return open_stores(settings.db, settings.events, events_password(settings))
