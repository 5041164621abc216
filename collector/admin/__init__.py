"""Keys, users, import, export, demo data."""


class AdminError(Exception):
    """What an administrator asked for cannot be done; the message says why."""
