"""Deletions in both stores: an answer goes with the request that it was for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from collector.base.ids import key_of
from collector.ingest import decode
from collector.page.queries.help import find_requests
from collector.store import Stores, deletion, open_stores
from collector.store.answers import answer_request, answers_of
from collector.store.deletion import expire_events, forget_instance, remove_events
from collector.store.values import Cutoffs
from tests.collector.page.client import NOW
from tests.collector.page.stories import event

KEY = 7
ADA, BOB = key_of("ada"), key_of("bob")
HERS, HIS = key_of("run of ada"), key_of("run of bob")


def quiet(_: int) -> None:
    """No progress."""


def ask_for_help(stores: Stores, who: str, run: str = "", *, name: str = "Installation Support") -> None:
    told = {**event(name, run=run or f"run of {who}"), "anonymousId": who, "messageId": f"{name} {who} {run}"}
    stores.events.keep([decode.read_event(told, "track", 1, NOW, key=KEY if who == "ada" else None)])


def fill(stores: Stores) -> None:
    """Two people have asked for help, and somebody has answered both."""
    for who in ("ada", "bob"):
        ask_for_help(stores, who)
        answer_request(stores.control, 1, key_of(f"run of {who}"), "sam", NOW)


DELETIONS: dict[str, Callable[[Stores], object]] = {
    "forget": lambda stores: forget_instance(stores, 1, ADA),
    "remove": lambda stores: remove_events(stores, KEY, 0, NOW + 1, quiet),
    "expire": lambda stores: expire_events(stores, Cutoffs.all_at(NOW + 1), NOW, quiet),
}


@pytest.mark.parametrize("kind", DELETIONS)
def test_an_answer_is_deleted_with_its_run(
    stores: Stores, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "AT_ONCE", 1)
    fill(stores)
    DELETIONS[kind](stores)
    assert set(answers_of(stores.control, 1)) == ({HIS} if kind != "expire" else set())


def test_an_answer_stays_with_its_run(stores: Stores) -> None:
    fill(stores)
    forget_instance(stores, 1, key_of("nobody"))
    remove_events(stores, KEY + 1, 0, NOW + 1, quiet)
    expire_events(stores, Cutoffs.all_at(NOW - 1), NOW, quiet)
    assert answers_of(stores.control, 1) == {HERS: (NOW, "sam"), HIS: (NOW, "sam")}


def test_the_answer_to_a_request_that_is_gone_is_deleted_though_the_run_stays(stores: Stores) -> None:
    """Another instance has told of the same run."""
    fill(stores)
    ask_for_help(stores, "bob", "run of ada", name="Installation Started")
    forget_instance(stores, 1, ADA)
    assert stores.events.find_run(1, HERS) is not None
    assert set(answers_of(stores.control, 1)) == {HIS}


@pytest.mark.parametrize("next_kind", DELETIONS)
def test_an_answer_without_a_run_counts_nowhere_and_goes_with_the_next_deletion(
    stores: Stores, next_kind: str
) -> None:
    """As after a kill between the two stores."""
    fill(stores)
    ask_for_help(stores, "eve")
    stores.events.forget(1, BOB)
    assert HIS in answers_of(stores.control, 1)
    requests = find_requests(stores, 1)
    assert requests.waiting == (key_of("run of eve"),)
    assert requests.answered == (HERS,)
    DELETIONS[next_kind](stores)
    assert HIS not in answers_of(stores.control, 1)


def test_no_file_of_sqlite_has_the_run_of_a_deleted_answer(tmp_path: Path) -> None:
    with closing(open_stores(f"sqlite:///{tmp_path}/c.db")) as stores:
        fill(stores)
        assert HERS in files(tmp_path)
        forget_instance(stores, 1, ADA)
        assert HERS not in files(tmp_path)
        assert HIS in files(tmp_path)


def files(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())
