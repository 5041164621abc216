"""Requests for help: runs of the event store, beside what the control store knows of answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from collector.base.environments import ALL
from collector.page.queries.whole import follow, read_on
from collector.store import EventStore, Stores
from collector.store.answers import Answer, answers_of
from collector.store.runs import NO_RUN, Run, RunFilter, RunsEnd

# Requests that are waiting are counted up to here.
MOST_WAITING = 1000
# A page of the requests by time is searched among so many; a link leads to the next ones.
SEARCHED = 1000
STILL_STUCK = "still stuck"
SHOWN = ("all", "waiting", STILL_STUCK, "answered")
# Who is still stuck is read in so many pieces of so many runs. A piece takes 24 ms with 100,000 instances.
STUCK_PIECES, STUCK_PIECE = 2, 500


@dataclass(frozen=True)
class Requests:
    """The runs of a source that asked for help, and the answers, by run.

    Who has waited longest comes first; of the answered ones, the latest request.
    """

    waiting: tuple[bytes, ...] = ()
    answered: tuple[bytes, ...] = ()
    answers: Mapping[bytes, Answer] = field(default_factory=dict)

    def shown(self, which: str) -> tuple[bytes, ...]:
        """One of SHOWN of them, except STILL_STUCK, which answers do not tell."""
        return {"waiting": self.waiting, "answered": self.answered}.get(which, self.waiting + self.answered)


@dataclass(frozen=True)
class StillStuck:
    """Instances whose last install failed or was given up; `complete` if none is missing."""

    instances: frozenset[bytes] = frozenset()
    complete: bool = True

    def of(self, run: Run) -> bool | None:
        """Whether the instance of a run is still stuck; None if that is not known."""
        if run.instance in self.instances:
            return True
        return False if self.complete and run.began is not None else None


@dataclass(frozen=True)
class HelpRequest:
    """A request for help: its run, and who answered it and when."""

    run: Run
    answered: int | None
    answered_by: str | None


def find_requests(stores: Stores, source: int) -> Requests:
    """All requests for help if fewer than MOST_WAITING are waiting; otherwise the earliest of them."""
    answers = answers_of(stores.control, source)
    # Among so many are all that wait, or MOST_WAITING of them. An answer whose run is gone counts nowhere.
    asked = [run for _, run in stores.events.asked_runs(source, NO_RUN, MOST_WAITING + len(answers))]
    waiting = [run for run in asked if run not in answers][:MOST_WAITING]
    return Requests(tuple(waiting), tuple(run for run in reversed(asked) if run in answers), answers)


def find_still_stuck(stores: Stores, source: int, waiting: Sequence[Run], now: int) -> StillStuck:
    """The instances that are still stuck, of those whose runs are waiting."""
    began = [run.began for run in waiting if run.began is not None]
    if not began:
        return StillStuck()
    events = stores.events.within(ALL)  # requests are of all environments

    def ask(end: RunsEnd) -> tuple[list[Run], RunsEnd | None]:
        return events.list_runs(source, RunFilter("stuck"), min(began), (now + 1, b""), now, STUCK_PIECE, end)

    pieces = list(islice(follow(ask, NO_RUN), STUCK_PIECES + 1))
    found = {run.instance for runs in pieces[:STUCK_PIECES] for run in runs}
    return StillStuck(frozenset(found & {run.instance for run in waiting}), len(pieces) <= STUCK_PIECES)


def list_requests(
    events: EventStore, source: int, requests: Requests, which: str, start: int, most: int
) -> list[HelpRequest]:
    """Waiting requests first, those that wait longest at the top; then the latest answered ones."""
    return _requests_of(events, source, requests.shown(which)[start : start + most], requests.answers)


def every_request(stores: Stores, source: int, which: str, most: int) -> Iterator[list[HelpRequest]]:
    """Every request that is shown in the same order, so many at a time, however many are waiting."""
    answers = answers_of(stores.control, source)
    answered: list[bytes] = []
    asked = read_on(lambda end: stores.events.asked_runs(source, end, most), NO_RUN, lambda end: end)
    for ends in asked:
        answered += [run for _, run in ends if run in answers]
        waiting = [run for _, run in ends if run not in answers and which != "answered"]
        yield _requests_of(stores.events, source, waiting, answers)
    answered = [] if which == "waiting" else answered[::-1]
    for start in range(0, len(answered), most):
        yield _requests_of(stores.events, source, answered[start : start + most], answers)


def requests_by_time(
    stores: Stores, source: int, which: str, before: RunsEnd, most: int, after: RunsEnd | None
) -> tuple[list[HelpRequest], RunsEnd | None]:
    """The latest requests before a place, or the oldest after one; and where the list goes on if it does."""
    answers = answers_of(stores.control, source)
    ends = (NO_RUN, SEARCHED, before) if after is None else (after, SEARCHED)
    asked = stores.events.asked_runs(source, *ends)
    found = [end for end in asked if which == SHOWN[0] or (end[1] in answers) == (which == "answered")]
    more = found[most - 1] if len(found) > most else asked[-1] if len(asked) == SEARCHED else None
    return _requests_of(stores.events, source, [run for _, run in found[:most]], answers), more


def _requests_of(
    events: EventStore, source: int, wanted: Sequence[bytes], answers: Mapping[bytes, Answer]
) -> list[HelpRequest]:
    runs = {run.id: run for run in events.find_runs(source, wanted)}
    return [HelpRequest(runs[key], *answers.get(key, (None, None))) for key in wanted if key in runs]
