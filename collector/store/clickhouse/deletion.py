"""Deletion of single instances, and of the events of a write key.

Only rows are deleted, and those of their instances made anew: every number is computed from what is left.
"""

from __future__ import annotations

from hashlib import sha256

from collector.store.clickhouse.client import Client
from collector.store.clickhouse.cluster import catch_up
from collector.store.clickhouse.forgotten import delete_what_was_written
from collector.store.clickhouse.instances import InstanceQuestions
from collector.store.clickhouse.mutations import AT_ONCE, delete_ids, delete_rows, drop_censuses
from collector.store.clickhouse.past import latest, read_past
from collector.store.clickhouse.runs import InstallQuestions
from collector.store.clickhouse.sightings import renew_instances
from collector.store.events import Progress
from collector.store.values import Forgotten


def forget_instance(client: Client, source: int, who: bytes) -> Forgotten:
    """Delete all that is stored of an instance."""
    catch_up(client, "events", "instances", "past_instances", "past_runs", "expiries")
    past = read_past(client)
    told = client.rows(
        f"SELECT id, run FROM events FINAL WHERE source = ? AND who = ? AND {past.there}", source, who
    )
    known = client.rows(
        f"SELECT id FROM {latest('past_runs', past)} WHERE source = ? AND instance = ?", source, who
    )
    keys = sorted({run for _, run in told if run is not None} | {run for (run,) in known})
    questions = InstallQuestions(client)
    pieces = (keys[start : start + AT_ONCE] for start in range(0, len(keys), AT_ONCE))
    runs = [run for piece in pieces for run in questions.find_runs(source, piece)]
    instance = InstanceQuestions(client).find_instance(source, who)
    # A deletion that was interrupted may have left no more than the instance's row.
    there = InstanceQuestions(client).instances_between(source, who, who, 1)
    if not told and instance is None and not runs and not there:
        return Forgotten()
    if past.batch:
        delete_rows(client, "past_instances", "source = ? AND id = ?", source, who)
        delete_ids(client, "past_runs", source, keys)  # what others told of them is left
    # These last: by them a deletion that is made again, because it was interrupted, finds the runs.
    delete_rows(client, "events", "source = ? AND who = ?", source, who)
    renew_instances(client, past, source, [who])
    if delete_what_was_written(client, source, who, keys):
        renew_instances(client, past, source, [who])
    digest = sha256(b"".join(sorted(key for key, _ in told))).hexdigest()
    requests = sum(run.asked is not None for run in runs)
    return Forgotten(len(told), len(runs), requests, int(instance is not None), digest)


def remove_events(client: Client, key: int, since: int, until: int, progress: Progress) -> int:
    """Delete the events of a write key that were received since one time and before another."""
    catch_up(client, "events", "instances", "past_instances", "expiries")
    past, which = read_past(client), "wkey = ? AND received >= ? AND received < ?"
    sql = f"SELECT count() AS n FROM events FINAL WHERE {which} AND {past.there}"
    ((count,),) = client.rows(sql, key, since, until)
    if count:
        ids = "SELECT DISTINCT source, assumeNotNull(who) AS instance FROM events WHERE who IS NOT NULL"
        told = client.rows(f"{ids} AND {which}", key, since, until)
        delete_rows(client, "events", which, key, since, until)
        for source in {source for source, _ in told}:
            renew_instances(client, past, source, [who for of_source, who in told if of_source == source])
        drop_censuses(client)
        progress(count)
    return int(count)
