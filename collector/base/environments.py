"""What an installation is for, as its install says. By default only production counts."""

from __future__ import annotations

PRODUCTION, ALL = "production", "all"
# Their places here are stored, as numbers: a new one comes last.
ENVIRONMENTS = (PRODUCTION, "internal", "test", "dev", "ci")
# What a page can show.
CHOICES = (PRODUCTION, ALL, *ENVIRONMENTS[:0:-1])
_UNKNOWN = ENVIRONMENTS.index("internal")


def environment_number(value: object) -> int:
    """The number of an environment; an event that names none is of production. Unknown names are internal."""
    name = value.strip().lower() if isinstance(value, str) else ""
    if not name:
        return 0
    return ENVIRONMENTS.index(name) if name in ENVIRONMENTS else _UNKNOWN
