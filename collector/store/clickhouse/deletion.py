"""Deletion of single instances, and of the events of a write key.

Only rows are deleted: every number is computed from those that are left.
"""

from __future__ import annotations

from hashlib import sha256

from collector.store.clickhouse.client import Client
from collector.store.clickhouse.cluster import catch_up
from collector.store.clickhouse.instances import InstanceQuestions
from collector.store.clickhouse.mutations import delete_rows, drop_censuses
from collector.store.clickhouse.past import latest, read_past
from collector.store.clickhouse.runs import InstallQuestions
from collector.store.events import Progress
from collector.store.values import Forgotten


def forget_instance(client: Client, source: int, who: bytes) -> Forgotten:
    """Delete all that is stored of an instance."""
    catch_up(client, "events", "past_instances", "past_runs", "expiries")
    past = read_past(client)
    told = client.rows(
        f"SELECT id, run FROM events FINAL WHERE source = ? AND who = ? AND {past.there}", source, who
    )
    known = client.rows(
        f"SELECT id FROM {latest('past_runs', past)} WHERE source = ? AND instance = ?", source, who
    )
    keys = sorted({run for _, run in told if run is not None} | {run for (run,) in known})
    runs = InstallQuestions(client).find_runs(source, keys)
    instance = InstanceQuestions(client).find_instance(source, who)
    if not told and instance is None and not runs:
        return Forgotten()
    if past.batch:
        delete_rows(client, "past_instances", "source = ? AND id = ?", source, who)
        if keys:  # what others told of them is left
            delete_rows(client, "past_runs", "source = ? AND id IN ?", source, keys)
    # These last: by them a deletion that is made again, because it was interrupted, finds the runs.
    delete_rows(client, "events", "source = ? AND who = ?", source, who)
    digest = sha256(b"".join(sorted(key for key, _ in told))).hexdigest()
    requests = sum(run.asked is not None for run in runs)
    return Forgotten(len(told), len(runs), requests, int(instance is not None), digest)


def remove_events(client: Client, key: int, since: int, until: int, progress: Progress) -> int:
    """Delete the events of a write key that were received since one time and before another."""
    catch_up(client, "events", "expiries")
    which = "wkey = ? AND received >= ? AND received < ?"
    sql = f"SELECT count() AS n FROM events FINAL WHERE {which} AND {read_past(client).there}"
    ((count,),) = client.rows(sql, key, since, until)
    if count:
        delete_rows(client, "events", which, key, since, until)
        drop_censuses(client)
        progress(count)
    return int(count)
