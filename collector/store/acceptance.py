"""What is found where a vendor's own servers are tried."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """Whether something holds, and what was seen."""

    holds: bool
    text: str
