"""Ids as people type them: whole, or the first eight digits or more, as the page shows them."""

from __future__ import annotations

from collector.base.ids import key_of, keys_beginning
from collector.store import EventStore


def instance_keys(events: EventStore, source: int, text: str, most: int) -> list[bytes]:
    """The instances that the text can mean: just one if it is a whole id."""
    if events.find_instance(source, key_of(text)):
        return [key_of(text)]
    between = keys_beginning(text)
    return events.instances_between(source, *between, most) if between else []


def run_keys(events: EventStore, source: int, text: str, most: int) -> list[bytes]:
    """The runs that the text can mean. A request for help has the beginning of its run's id as reference."""
    if events.find_run(source, key_of(text)):
        return [key_of(text)]
    between = keys_beginning(text)
    return events.runs_between(source, *between, most) if between else []


def meant(keys: list[bytes], text: str) -> bytes:
    """The only one of the keys; if there is not just one, what the text itself would be."""
    return keys[0] if len(keys) == 1 else key_of(text)
