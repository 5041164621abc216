"""Expiry: what is old is summed up as a batch (`past.py`), and then deleted.

A batch that was interrupted before it counted is made anew; one that was interrupted later is finished.
Cutoffs are whole days, and a look each hour reads all events. So one that was made is not made again, unless
something came since that is so old, as an import brings it.
"""

from __future__ import annotations

import time

from collector.base.events import BEAT
from collector.base.times import DAY_MS
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.cluster import catch_up
from collector.store.clickhouse.emails import expire_emails, expire_known_emails
from collector.store.clickhouse.event_rows import Numbers
from collector.store.clickhouse.forgotten import drop_forgotten
from collector.store.clickhouse.keeping import read_marks
from collector.store.clickhouse.mutations import delete_found, drop_censuses, drop_partition
from collector.store.clickhouse.past import KNOWN_SECONDS, Past, latest, read_past
from collector.store.clickhouse.sightings import renew_gone_instances
from collector.store.clickhouse.summing import count_gone_instances, count_gone_runs, sum_up
from collector.store.clickhouse.tables import (
    CUTOFFS,
    EXPIRIES,
    PAST_INSTANCES,
    PAST_RUNS,
    TABLES,
    ClickHouseTable,
)
from collector.store.clickhouse.text import filled
from collector.store.events import Progress
from collector.store.values import Cutoffs, Expired, Expiry


class LastLook:
    """The last look of this process for what is old that was made to its end."""

    def __init__(self) -> None:
        self._before: Cutoffs | None = None
        self._until = 0  # all events had smaller numbers

    def note(self, before: Cutoffs, until: int) -> None:
        """Remember it."""
        self._before, self._until = before, until

    def was_enough(self, client: Client, before: Cutoffs) -> bool:
        """Whether it was for the same, and nothing so old came since."""
        if before != self._before:
            return False
        sql = "SELECT count() AS n FROM events PREWHERE seq >= ? WHERE received < ?"
        newest = max(before.beats, before.events, before.emails)
        return client.rows(sql, self._until, newest) == [(0,)]


def expire_events(
    client: Client, numbers: Numbers, before: Cutoffs, now: int, progress: Progress, *, look: LastLook
) -> Expired:
    """Delete what was received before these times, and all that only that has left."""
    _catch_up(client)
    current = _finished(client)
    if look.was_enough(client, before):
        _note(client, current._replace(batch=current.batch + 1), now, Expired())
        return Expired()
    cutoffs = (before.beats, before.events)
    past = Past(current.batch + 1, current.kept_from, *cutoffs, numbers.next(), done=0)
    is_beat = filled("name = ?", [BEAT])
    counts = f"countIf({is_beat}) AS of_beats, countIf(NOT ({is_beat})) AS of_others"
    ((beats, events),) = client.rows(f"SELECT {counts} FROM events FINAL WHERE {past.expired}")
    if beats or events:
        sum_up(client, current, past)
    count_gone_instances(client, past, before.instances)
    count_gone_runs(client, past)
    _note_cutoffs(client, current, past)
    expire_known_emails(client, past, before.emails)
    found = Expired(beats, events, expire_emails(client, past, before.emails))
    _catch_up(client)
    _note(client, past, now, found)
    if found.deleted:
        drop_censuses(client)
    catch_up(client, EXPIRIES.name)
    time.sleep(2 * KNOWN_SECONDS)
    progress(found.deleted)
    _finished(client)
    look.note(before, past.until)
    return found


def last_expiry(client: Client) -> Expiry:
    """When expiry ended last; when something expired last, and how much."""
    sql = "SELECT at, beats, events, emails FROM expiries FINAL {} ORDER BY batch DESC LIMIT 1"
    last = client.rows(sql.format(""))
    found = client.rows(sql.format("WHERE beats + events + emails > 0"))
    if not last:
        return Expiry()
    return Expiry(last[0][0], found[0][0], Expired(*found[0][1:])) if found else Expiry(last[0][0])


def _finished(client: Client) -> Past:
    """The batch that counts now, once all is deleted that it sums up, and all that a later one has begun."""
    past = read_past(client)
    for table in ("past_counters", "cutoffs"):
        delete_found(client, table, f"batch > {past.batch}")
    for summed in (PAST_INSTANCES, PAST_RUNS):
        _drop_batches(client, summed, f"batch > {past.batch}")
    if not past.done:
        delete_found(client, "events", past.expired)
        renew_gone_instances(client, past)
        past = _with_copies(client, past)
    for summed in (PAST_INSTANCES, PAST_RUNS):
        _drop_batches(client, summed, f"batch < {past.kept_from}")
    return past


def _catch_up(client: Client) -> None:
    """What was summed up is on every server before what it sums up is deleted."""
    catch_up(client, *(table.name for table in TABLES), all_of_them=True)


def _with_copies(client: Client, past: Past) -> Past:
    """The batch that is done: another one with a copy of all rows that count, if this one has any."""
    tables = (PAST_INSTANCES, PAST_RUNS)
    done = past._replace(done=1)
    own = [client.rows(f"SELECT count() AS n FROM {one.name} WHERE batch = ?", past.batch) for one in tables]
    if own != [[(0,)], [(0,)]]:
        done = done._replace(batch=past.batch + 1, kept_from=past.batch + 1)
        for table in tables:
            copied = table.names.replace("batch", f"toUInt64({done.batch}) AS of_batch", 1)
            client.run(
                f"INSERT INTO {table.name} ({table.names}) SELECT {copied} FROM {latest(table.name, past)}"
            )
        drop_forgotten(client, past, done)
    _catch_up(client)
    ((at, *found),) = client.rows(
        "SELECT at, beats, events, emails FROM expiries FINAL WHERE batch = ?", past.batch
    )
    _note(client, done, at, Expired(*found) if done.batch == past.batch else Expired())
    catch_up(client, EXPIRIES.name)
    if done.batch != past.batch:
        time.sleep(2 * KNOWN_SECONDS)
    return done


def _note(client: Client, past: Past, at: int, found: Expired) -> None:
    """Let a batch count from now on."""
    batch, kept_from, *cutoffs, done = past
    counts = (found.beats, found.events, found.emails)
    client.insert(EXPIRIES, [(batch, at, kept_from, *cutoffs, *counts, done)])


def _drop_batches(client: Client, table: ClickHouseTable, which: str) -> None:
    for (batch,) in client.rows(f"SELECT DISTINCT batch FROM {table.name} WHERE {which}"):
        drop_partition(client, table.name, batch)


def _note_cutoffs(client: Client, current: Past, past: Past) -> None:
    """Remember what expires now, of each source that has counted anything so old."""
    marks, changed = read_marks(client, current), []
    sql = (
        f"SELECT source, min(day) AS first FROM (SELECT source, intDiv(time, {DAY_MS}) AS day FROM events"
        " UNION ALL SELECT source, a AS day FROM past_counters WHERE kind = 'daily') GROUP BY source"
    )
    for source, first in client.rows(sql):
        cutoffs = (past.beats_before, past.events_before)
        old = marks.get(source, (0, 0))
        beats, events = (
            max(mark, new) if first <= new // DAY_MS else mark for mark, new in zip(old, cutoffs, strict=True)
        )
        if (beats, events) != old:
            changed.append((source, beats, events))
    client.insert(CUTOFFS, [(past.batch, *row) for row in changed])
