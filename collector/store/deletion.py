"""Deletions in both stores: support bundles, events, then the answers to requests for help that are gone.

Each deletion looks at all answers. So one that was interrupted between the stores is made whole by the next.
Events that were moved to a store of their own are still in the database too. So who is forgotten, and what is
old, is deleted from both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from collector.store import Stores, bundles
from collector.store.answers import answered_sources, answers_of, delete_answers
from collector.store.claims import claimed_expiry
from collector.store.events import Progress
from collector.store.values import Cutoffs, Expired, Forgotten

# Answers whose runs are looked up at once.
AT_ONCE = 500


def forget_instance(stores: Stores, source: int, who: bytes) -> Forgotten:
    """Delete all that is stored of an instance."""
    count = bundles.delete_of_instance(stores.control, source, who)
    done = stores.events.forget(source, who)
    if stores.left is not None:
        left = stores.left.forget(source, who)
        if not (done.events or done.instances):  # it was never moved
            done = left
    _sweep_answers(stores, [source])
    return replace(done, bundles=count)


def expire_events(stores: Stores, before: Cutoffs, now: int, progress: Progress) -> Expired:
    """Delete what was received before these times, and all that only that has left.

    AlreadyClaimed if another collector does so now.
    """
    with claimed_expiry(stores.control, now):
        count = bundles.delete_old(stores.control, before.bundles) if before.bundles else 0
        expired = stores.events.expire(before, now, progress)
        _sweep_answers(stores, answered_sources(stores.control))
        if stores.left is not None:
            stores.left.expire(before, now, progress)
        return replace(expired, bundles=count)


def remove_events(stores: Stores, key: int, since: int, until: int, progress: Progress) -> int:
    """Delete the events, and bundles, of a write key that were received since one time and before another."""
    bundles.delete_of_key(stores.control, key, since, until)
    count = stores.events.remove(key, since, until, progress)
    _sweep_answers(stores, answered_sources(stores.control))
    return count


def _sweep_answers(stores: Stores, sources: Iterable[int]) -> None:
    """Delete the answers to requests that no run makes any more."""
    gone = {source: _without_request(stores, source) for source in sources}
    if not any(gone.values()):
        return
    for source, runs in gone.items():
        delete_answers(stores.control, source, runs)
    stores.control.tidy()


def _without_request(stores: Stores, source: int) -> list[bytes]:
    """The runs with an answer that do not ask for help, or are not there."""
    answered = list(answers_of(stores.control, source))
    asking: set[bytes] = set()
    for start in range(0, len(answered), AT_ONCE):
        runs = stores.events.find_runs(source, answered[start : start + AT_ONCE])
        asking.update(run.id for run in runs if run.asked is not None)
    return [run for run in answered if run not in asking]
