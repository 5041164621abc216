"""What a visitor may see of a view: for a viewer, no text has an e-mail or IP address in it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from operator import is_
from typing import Any

from collector.base.personal import mask_addresses
from collector.page.access.visitor import Visitor
from collector.page.event_json import JsonText
from collector.page.view_types import ViewResult, ViewTable


def result_for(visitor: Visitor, result: ViewResult) -> ViewResult:
    """The view as this visitor may see it. Every view passes here, before it becomes HTML, JSON or CSV."""
    if visitor.may_help:
        return result
    shown: ViewResult = _masked(result)
    return dataclasses.replace(shown, tables=tuple(map(_masked_whole, shown.tables)))


def _masked_whole(table: ViewTable) -> ViewTable:
    """The table, whose further rows are masked when they are read."""
    whole = table.whole
    return dataclasses.replace(table, whole=lambda: map(_masked, whole())) if whole else table


def _masked(value: Any) -> Any:
    """The value with every text in it masked; the same object if nothing changes."""
    if isinstance(value, JsonText):
        return value
    if isinstance(value, str):
        text = mask_addresses(value)
        return value if text == value else type(value)(text)  # marked-up text stays marked up
    if isinstance(value, Mapping):
        return _masked_mapping(value)
    if isinstance(value, list | tuple):
        return _masked_sequence(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        before = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        after = _masked_mapping(before)
        return value if after is before else dataclasses.replace(value, **after)
    return value


def _masked_mapping(value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    keys, values = _masked_sequence(tuple(value)), _masked_sequence(tuple(value.values()))
    pairs = list(zip(keys, values, strict=True))
    if all(map(is_, keys, value)) and all(map(is_, values, value.values())):
        return value
    if not isinstance(value, Counter):
        return dict(pairs)
    counter: Counter[Any] = Counter()
    for key, n in pairs:  # two texts may be the same now
        counter[key] += n
    return counter


def _masked_sequence(value: Any) -> Any:
    items = [_masked(item) for item in value]
    if all(map(is_, items, value)):
        return value
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
