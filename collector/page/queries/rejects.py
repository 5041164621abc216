"""Events that can never be taken: how many, why, and from which library."""

from __future__ import annotations

from dataclasses import dataclass

from collector.page.period import Period
from collector.store import ControlStore


@dataclass(frozen=True)
class RejectedEvents:
    """The rejects of a library for one reason; `message` is what it was told the last time."""

    code: str
    library: str
    count: int
    message: str
    last: int


def rejected_events(control: ControlStore, source: int, period: Period, most: int) -> list[RejectedEvents]:
    """The rejects of a period, by code and library, most frequent first."""
    sql = (
        "SELECT code, library, CAST(SUM(n) AS BIGINT), MAX(message), MAX(last) FROM rejects"
        " WHERE source = ? AND day BETWEEN ? AND ? GROUP BY code, library"
        " ORDER BY SUM(n) DESC, code, library LIMIT ?"
    )
    return [RejectedEvents(*row) for row in control.all(sql, source, period.first, period.last, most)]


def count_rejected(control: ControlStore, source: int, period: Period) -> int:
    """How many events were rejected in a period."""
    sql = "SELECT coalesce(SUM(n), 0) FROM rejects WHERE source = ? AND day BETWEEN ? AND ?"
    return int(control.all(sql, source, period.first, period.last)[0][0])
