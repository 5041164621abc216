"""What every view gets, and what it returns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from collector.base.environments import PRODUCTION
from collector.base.ids import KEY_LENGTH, as_uuid
from collector.base.times import write_time
from collector.page.access.visitor import Visitor
from collector.page.period import Period, iso
from collector.page.queries.census import CensusCache
from collector.page.queries.help import Requests, find_requests
from collector.page.queries.history import HistoryCache
from collector.page.queries.sources import Source
from collector.page.request import PageRequest
from collector.store import EventStore, Stores
from collector.store.fleet import Census
from collector.store.history import FleetHistory
from collector.store.values import NO_PAGE, PageEnd
from collector.store.words import UNKNOWN

# Rows of a list on one page; a link leads to the next ones.
PAGE_ROWS = 50
# Rows that a whole list reads at a time, as CSV.
PIECE_ROWS = 500
# A page ends earlier if its events have more bytes than this: a stranger's have 32 KiB each.
PAGE_BYTES = 256 * 1024
MINUTE_MS = 60_000
# `before` in a URL: where a page of a list ended.
_PLACE = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,39}))?")

Cell = str | int | float | None
Rows = Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class ViewTable:
    """Rows with named columns, written as HTML, JSON and CSV."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Rows
    whole: Callable[[], Iterator[Rows]] | None = None  # every row, some at a time, if `rows` is one page

    def pieces(self) -> Iterator[Rows]:
        """Every row, some at a time."""
        return self.whole() if self.whole else iter([self.rows])


@dataclass(frozen=True)
class ViewResult:
    """Data and tables for programs; `context` is only for the template."""

    name: str
    title: str
    data: Mapping[str, Any]
    tables: tuple[ViewTable, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ViewRequest:
    """A visitor wants to see one source over one period."""

    stores: Stores
    censuses: CensusCache
    histories: HistoryCache
    request: PageRequest
    visitor: Visitor
    source: Source
    sources: tuple[Source, ...]
    period: Period
    environment: str
    now: int

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query

    @property
    def before(self) -> PageEnd:
        """Where the previous page of a list ended; on the first page, after every row."""
        place = _PLACE.fullmatch(self.query.get("before", ""))
        return (int(place[1]), int(place[2] or 0)) if place else NO_PAGE

    def asked_word(self, name: str) -> str | None:
        """The version or system in the address; None for any, and empty for those told as unknown."""
        word = self.query.get(name, "").strip()
        return None if not word else "" if word == UNKNOWN else word

    @property
    def before_id(self) -> tuple[int, bytes]:
        """The same for a list by time and id."""
        at, number = self.before
        return at, min(number, 2 ** (KEY_LENGTH * 8) - 1).to_bytes(KEY_LENGTH, "big")

    @cached_property
    def events(self) -> EventStore:
        """The event store, asked of the environment that the visitor chose."""
        return self.stores.events.within(self.environment)

    @cached_property
    def help_requests(self) -> Requests:
        """The requests for help of this source; none, unless the visitor may see them."""
        return find_requests(self.stores, self.source.id) if self.visitor.may_help else Requests()

    @cached_property
    def census(self) -> Census:
        """Counts of instances: active now, and by the days on which they were seen first and last."""
        return self.censuses.census(self.source.id, self.now, self.environment)

    @cached_property
    def history(self) -> FleetHistory | None:
        """The instances on every day; None while those of a large fleet are counted for the first time."""
        return self.histories.history(self.source.id, sum(self.census.states.values()), self.environment)

    @property
    def census_was(self) -> int | None:
        """When the instances were counted, if that is more than a minute ago."""
        return self.census.at if self.now - self.census.at > MINUTE_MS else None

    @cached_property
    def counted_until(self) -> int | None:
        """Events received from this time on may be in no number yet; None if all are counted."""
        return self.events.counted_until()

    def url(self, path: str, /, **more: str | None) -> str:
        """The URL of a view with the same source, period and environment; None removes a parameter."""
        kept: dict[str, str | None] = {}
        if len(self.sources) > 1:
            kept["source"] = self.source.name
        if {"period", "from", "to"} & self.query.keys():
            kept.update(self.period.query())
        if self.environment != PRODUCTION:
            kept["env"] = self.environment
        kept.update(more)
        text = urlencode({name: value for name, value in kept.items() if value})
        return f"{path}?{text}" if text else path

    def here(self, **more: str | None) -> str:
        """The URL of this view with some parameters changed."""
        own = {name: value for name, value in self.query.items() if name not in ("before", "table", "source")}
        return self.url(self.request.path, **{**own, **more})

    def export(self, path: str, suffix: str, table: str | None = None) -> str:
        """The URL of this view as JSON or CSV."""
        own = {name: value for name, value in self.query.items() if name not in ("table", "source")}
        own.pop("before", None)  # it has the whole list
        path = "/overview" if path == "/" else path
        return self.url(f"{path}.{suffix}", **{**own, "table": table})


def time_text(milliseconds: int | None) -> str | None:
    """A time for programs."""
    return None if milliseconds is None else write_time(milliseconds)


def id_text(key: bytes | None) -> str | None:
    """An id for programs and people."""
    return None if key is None else as_uuid(key)


def end_text(end: tuple[int, bytes]) -> str:
    """Where a list by time and id ended, for `before` in a URL."""
    return f"{end[0]}.{int.from_bytes(end[1], 'big')}"


def days_text(first: int, last: int) -> str:
    """The days of a chart's bar."""
    return iso(first) if first == last else f"{iso(first)}/{iso(last)}"
