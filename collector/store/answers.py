"""Answers to requests for help: which runs somebody has answered, when, and who.

Runs are in the event store, and may be deleted there. An answer whose run is gone counts nowhere, and is
deleted with the next deletion of anything.
"""

from __future__ import annotations

from collections.abc import Collection

from collector.store.control import ControlStore
from collector.store.events import EventStore
from collector.store.retries import with_retries
from collector.store.runs import NO_RUN, RunsEnd

# When a request was marked as answered, and by whom.
Answer = tuple[int, str]


def answers_of(control: ControlStore, source: int) -> dict[bytes, Answer]:
    """The answers of a source, by run."""
    rows = control.all("SELECT run, at, by_user FROM answered WHERE source = ?", source)
    return {bytes(run): (at, by) for run, at, by in rows}


def waiting_requests(control: ControlStore, events: EventStore, source: int, most: int) -> list[RunsEnd]:
    """When people asked for help who are still waiting, and after which run; the earliest first."""
    answers = answers_of(control, source)
    asked = events.asked_runs(source, NO_RUN, most + len(answers))
    return [one for one in asked if one[1] not in answers][:most]


def answered_sources(control: ControlStore) -> list[int]:
    """The sources that have answers."""
    return [source for (source,) in control.all("SELECT DISTINCT source FROM answered")]


@with_retries
def answer_request(control: ControlStore, source: int, run: bytes, user: str, now: int) -> None:
    """Mark a request as answered; the first user who did so is stored."""
    with control.transaction() as tx:
        sql = (
            "INSERT INTO answered (source, run, at, by_user) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (source, run) DO NOTHING"
        )
        tx.execute(sql, source, run, now, user)


def reopen_request(control: ControlStore, source: int, run: bytes) -> None:
    """Mark a request as waiting again."""
    delete_answers(control, source, [run])


@with_retries
def delete_answers(control: ControlStore, source: int, runs: Collection[bytes]) -> None:
    with control.transaction() as tx:
        for run in runs:
            tx.execute("DELETE FROM answered WHERE source = ? AND run = ?", source, run)
