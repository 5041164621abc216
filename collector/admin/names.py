"""Names of users, tokens and sources, which are written one a line and shown to people."""

from __future__ import annotations

from collector.admin import AdminError

LONGEST_NAME = 100


def check_name(name: str) -> None:
    """AdminError if a name is empty, too long, or not all to be seen."""
    if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise AdminError(f"a name has 1 to {LONGEST_NAME} characters, none of them invisible")
