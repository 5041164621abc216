"""Sealed support bundles: that they are there, their size, hash and run. None is opened here."""

from __future__ import annotations

from collections.abc import Iterator

from collector.page.request import PageError
from collector.page.view_types import (
    PAGE_ROWS,
    PIECE_ROWS,
    Rows,
    ViewRequest,
    ViewResult,
    ViewTable,
    id_text,
    time_text,
)
from collector.store.bundles import StoredBundle, find_bundle, stored_bundles

COLUMNS = ("id", "arrived", "size", "run", "instance", "key")
REFUSAL = "Only users with the role support can see support bundles."


def show_bundles(view: ViewRequest) -> ViewResult:
    """The bundles of a source, newest first."""
    require_support(view)
    start = view.before[0] if "before" in view.query else 0
    found = stored_bundles(view.stores.control, view.source.id, start, PAGE_ROWS + 1)
    older = str(start + PAGE_ROWS) if len(found) > PAGE_ROWS else None
    shown = found[:PAGE_ROWS]
    table = ViewTable("bundles", "Support bundles", COLUMNS, _rows(shown), lambda: _whole(view))
    return ViewResult("bundles", "Bundles", {}, (table,), {"bundles": shown, "older": older})


def _whole(view: ViewRequest) -> Iterator[Rows]:
    start = 0
    while found := stored_bundles(view.stores.control, view.source.id, start, PIECE_ROWS):
        yield _rows(found)
        start += PIECE_ROWS


def _rows(found: list[StoredBundle]) -> Rows:
    return [
        (
            one.id.hex(),
            time_text(one.arrived),
            one.size,
            id_text(one.run),
            id_text(one.instance),
            one.thumbprint,
        )
        for one in found
    ]


def wanted_bundle(view: ViewRequest) -> StoredBundle:
    """The bundle that the path names, in any source that the visitor may see."""
    require_support(view)
    name = view.request.path.removeprefix("/bundle/")
    try:
        bundle = bytes.fromhex(name)
    except ValueError:
        bundle = b""
    for source in view.sources:
        found = find_bundle(view.stores.control, source.id, bundle) if bundle else None
        if found:
            return found
    raise PageError(404, "No bundle has this id.")


def require_support(view: ViewRequest) -> None:
    """Bundles are for support alone. PageError for others."""
    if not view.visitor.may_help:
        raise PageError(403, REFUSAL)
