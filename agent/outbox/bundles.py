"""Sealed support bundles that wait: a file each beside the outbox, and a line in it.

Both are written under the lock of whoever sends. Under it, a file without a line belongs to nobody and is
deleted.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from agent.base.files import read_small, replace_file
from agent.base.ids import uuid7
from agent.events.catalogue import BUNDLE, iso

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.base.statedir import StateDir
    from agent.events.catalogue import Origin
    from agent.outbox.outbox import Outbox, OutboxReader, Trouble

MOST_BYTES = 16 * 1024 * 1024
"""Room for 10 MiB of texts, packed, sealed and written as base64."""
MOST_PLAIN = MOST_BYTES // 4 * 3 - 4096
"""What fits into that before it is sealed: base64 has four bytes for three, and the header takes some."""
MOST_WAITING = 3


class TooManyWait(Exception):  # noqa: N818 - reads as what it says
    """As many bundles wait as may."""


class WaitingBundle(NamedTuple):
    """A line of the outbox for a bundle, and what the endpoint is told of it."""

    seq: int
    digest: str
    size: int
    instance: str
    run: str


def bundles_address(endpoint: str) -> str:
    """Where bundles go. Its failures are noted apart from those of events, which must not wait for it."""
    return f"{endpoint}/v1/bundles"


def waiting_bundles(outbox: OutboxReader, endpoint: str | None = None) -> list[WaitingBundle]:
    """The bundles that wait for an endpoint, or for any, oldest first."""
    query = (
        "SELECT seq, payload FROM event"
        " WHERE state = 'waiting' AND name = ? AND endpoint IS coalesce(?, endpoint) ORDER BY seq"
    )
    return [_read(seq, text) for seq, text in outbox.query(query, BUNDLE, endpoint)]


def trouble_at(outbox: OutboxReader, endpoint: str) -> Trouble | None:
    """What keeps the events for an endpoint back, or else the bundles."""
    place = bundles_address(endpoint) if waiting_bundles(outbox, endpoint) else endpoint
    return outbox.trouble(endpoint) or outbox.trouble(place)


def _read(seq: int, text: str) -> WaitingBundle:
    """What a line says. One that the disk tore is of no file: it is dropped, and keeps nothing else back."""
    try:
        event: dict[str, Any] = json.loads(text)
        told, run = event["properties"], event["context"].get("installation", {})
        return WaitingBundle(seq, told["sha256"], told["size"], event["anonymousId"], run.get("id", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return WaitingBundle(seq, "", 0, "", "")


def build_bundle_line(
    origin: Origin, *, size: int, digest: str, timestamp: float, installation: str | None
) -> dict[str, object]:
    """The line that a support bundle has in the log: all that the endpoint is told of it."""
    context = {"installation": {"id": installation}} if installation else {}
    return {
        "type": "bundle",
        "event": BUNDLE,
        "anonymousId": origin.instance,
        "messageId": uuid7(timestamp),
        "timestamp": iso(timestamp),
        "context": context,
        "properties": {"size": size, "sha256": digest},
    }


def record_bundle(
    state: StateDir, outbox: Outbox, event: Mapping[str, object], sealed: bytes, digest: str, endpoint: str
) -> None:
    """Have a bundle wait. Only while holding `state.sender`; TooManyWait if there are enough."""
    if len(waiting_bundles(outbox)) >= MOST_WAITING:
        raise TooManyWait
    if not os.path.isdir(state.bundles):
        os.mkdir(state.bundles, 0o700)
    replace_file(_path(state, digest), sealed)
    outbox.record(event, endpoint)


def read_bundle(state: StateDir, bundle: WaitingBundle) -> bytes | None:
    """The sealed bytes; None if they are gone. OSError if they may be read later."""
    try:
        data = read_small(_path(state, bundle.digest), MOST_BYTES)
    except (FileNotFoundError, ValueError):
        return None
    return data if len(data) == bundle.size else None


def sweep_bundles(state: StateDir, outbox: OutboxReader) -> None:
    """Delete the files of bundles that wait no more. Only while holding `state.sender`."""
    waiting = {_path(state, bundle.digest) for bundle in waiting_bundles(outbox)}
    _unlink(set(state.bundle_files()) - waiting)


def erase_bundles(state: StateDir) -> None:
    """Telemetry is off: delete all files."""
    _unlink(set(state.bundle_files()))


def _unlink(paths: set[str]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _path(state: StateDir, digest: str) -> str:
    return os.path.join(state.bundles, f"{digest}.jwe")
