"""What goes wrong with a store, whatever it is made of."""

from __future__ import annotations

# What to do where there is no database.
HOW_TO_BEGIN = "check --db, or begin one with `rollcall-collector serve` or `keys add`"


class StoreError(Exception):
    """The store cannot be used; the message says why."""


class StoreUnavailable(StoreError):  # noqa: N818 - an outcome that passes
    """The store cannot answer now. The same call may succeed later."""


class Undone(StoreUnavailable):
    """Nothing of a transaction was done. The same one may succeed at once (see `retries.py`)."""


class Conflict(Undone):
    """Two transactions changed the same rows."""
