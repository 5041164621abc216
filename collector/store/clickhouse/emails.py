"""Expiry of e-mail addresses: each goes out of its request for help, and the request stays."""

from __future__ import annotations

from collector.base.events import SUPPORT
from collector.base.personal import without_address
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.event_rows import LAST
from collector.store.clickhouse.forgotten import drop_forgotten_requests
from collector.store.clickhouse.mutations import delete_rows
from collector.store.clickhouse.packing import read_request, without_email
from collector.store.clickhouse.past import WITHOUT_EMAIL, Past, latest
from collector.store.clickhouse.tables import EVENTS, PAST_RUNS

CHANGED_AT_ONCE = 1000

_EVENT = EVENTS.names.split(", ")
_VER, _SEQ, _BODY, _TOLD = map(_EVENT.index, ("ver", "seq", "body", "told"))


def expire_emails(client: Client, past: Past, before: int) -> int:
    """Delete addresses in requests that were received before a time; returns how many requests had one.

    Those that expire whole do not count.
    """
    count = last = 0
    # Not only `@`: people type what is no address.
    sql = (
        f"SELECT {EVENTS.names} FROM events FINAL WHERE name = ? AND received < ? AND ver < ? AND seq > ?"
        f" AND NOT {past.expired}"
        """ AND (body LIKE '%@%' OR body LIKE '%"email":%') ORDER BY seq LIMIT ?"""
    )
    while rows := client.rows(sql, SUPPORT, before, LAST, last, CHANGED_AT_ONCE):
        last = rows[-1][_SEQ]
        changed = []
        for row in rows:
            values = list(row)
            values[_VER], values[_BODY] = LAST, without_address(row[_BODY])
            values[_TOLD] = without_email(row[_TOLD])
            if values[_BODY] != row[_BODY]:
                changed.append(values)
        client.insert(EVENTS, changed, acknowledged=True)
        drop_forgotten_requests(client, changed)
        count += len(changed)
    _delete_old_rows(client)
    return count


def _delete_old_rows(client: Client) -> None:
    """Delete the rows with an address for which there is one without."""
    changed = f"SELECT source, id FROM events WHERE name = ? AND ver = {LAST}"
    sql = (
        f"SELECT source, id FROM events WHERE name = ? AND ver < {LAST} AND (source, id) IN ({changed})"
        f" ORDER BY source, id LIMIT {CHANGED_AT_ONCE}"
    )
    which = f"source = ? AND name = ? AND ver < {LAST} AND id IN ?"
    while rows := client.rows(sql, SUPPORT, SUPPORT):
        for source in sorted({source for source, _ in rows}):  # another one may have got the same event later
            ids = [key for of_source, key in rows if of_source == source]
            delete_rows(client, "events", which, source, SUPPORT, ids)


def expire_known_emails(client: Client, past: Past, before: int) -> None:
    """Delete addresses in what expired requests said of runs, by the time of the request."""
    rows = client.rows(
        f"SELECT {PAST_RUNS.names} FROM {latest('past_runs', past)} WHERE asked > 0 AND asked < ?", before
    )
    changed = [
        (past.batch, source, key, WITHOUT_EMAIL, *rest, without_email(request), environment)
        for _, source, key, _, *rest, request, environment in rows
        if read_request(request)[0] is not None
    ]
    if changed:
        client.insert(PAST_RUNS, changed)
