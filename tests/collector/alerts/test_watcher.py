"""What a watcher sends, and when: retries, quiet hours, a store that is away."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.admin.keys import add_key
from collector.alerts import book, messages
from collector.alerts.book import CALM_MS, latest_alerts, note_troubles
from collector.alerts.channels import Channel
from collector.alerts.messages import CLAIM_MS, MOST_TRIES, latest_messages
from collector.alerts.rules import Watch
from collector.alerts.troubles import SERVER, Trouble
from collector.alerts.watcher import PAUSE_SECONDS, Watcher
from collector.base.times import DAY_MS
from collector.ingest.disk import DiskWatch
from collector.settings import read_settings
from collector.store import StoreError, Stores
from tests.collector.alerts.conftest import channel_file

HOUR = 3_600_000
NOON = 20_000 * DAY_MS + 12 * HOUR
TROUBLE = Trouble("help", "", "Somebody waits", "1 person waits.", "/support")


class Post:
    """Takes what a watcher sends; a channel may be broken."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, str]] = []
        self.broken: set[int] = set()

    def __call__(self, channel: Channel, kind: str, title: str, body: str) -> bool:
        if channel.number in self.broken:
            return False
        self.taken.append((channel.number, title))
        return True


class Watched:
    """A watcher with two channels and a clock."""

    def __init__(self, stores: Stores, folder: Path, **settings: str) -> None:
        file = channel_file(folder, "json://one.example/", "json://two.example/")
        environ = {f"ROLLCALL_COLLECTOR_{name}": text for name, text in settings.items()}
        environ |= {"ROLLCALL_COLLECTOR_ALERTS_FILE": str(file), "ROLLCALL_COLLECTOR_ALERTS_DIGEST": "off"}
        self.stores, self.file, self.post, self.now = stores, file, Post(), NOON
        made = read_settings({"HOME": "/nowhere", **environ})
        disk = DiskWatch(made, stores.events)
        self.watcher = Watcher(made, stores, disk, now=lambda: self.now / 1000, send=self.post)

    def step(self, after: int = 0) -> list[tuple[int, str]]:
        """What is sent by a step some time later."""
        self.now += after
        del self.post.taken[:]
        self.watcher.watch()
        return self.post.taken

    def note(self, *found: Trouble) -> None:
        note_troubles(self.stores.control, 1, "product", found, self.now)


@pytest.fixture
def watched(stores: Stores, tmp_path: Path) -> Watched:
    return Watched(stores, tmp_path)


BEGUN, ENDED = "product: Somebody waits", "product: Over: Somebody waits"


def test_a_trouble_is_told_of_once_when_it_begins_and_once_when_it_is_over(watched: Watched) -> None:
    watched.note(TROUBLE)
    assert watched.step() == [(2, BEGUN), (3, BEGUN)]
    watched.note(TROUBLE)
    assert watched.step(HOUR) == []
    watched.note(TROUBLE)
    watched.now += CALM_MS - 1
    watched.note()
    assert watched.step() == []
    watched.note(TROUBLE)  # it was only out of sight
    watched.now += CALM_MS
    watched.note()
    assert watched.step() == [(2, ENDED), (3, ENDED)]
    (alert,) = latest_alerts(watched.stores.control, 1, 9)
    assert (alert.began, alert.ended) == (NOON, watched.now)


def test_a_channel_that_fails_is_tried_again_alone_and_given_up_at_last(watched: Watched) -> None:
    watched.post.broken = {3}
    watched.note(TROUBLE)
    assert watched.step() == [(2, BEGUN)]
    assert watched.step() == []
    watched.post.broken = set()
    assert watched.step(HOUR) == [(3, BEGUN)]
    assert watched.step(HOUR) == []
    watched.post.broken = {2, 3}
    watched.now += CALM_MS
    watched.note()
    for _ in range(MOST_TRIES):
        assert watched.step(7 * DAY_MS) == []
    watched.post.broken = set()
    assert watched.step(7 * DAY_MS) == []
    states = [(one.kind, one.state) for one in latest_messages(watched.stores.control, (1, SERVER), 9)]
    assert states == [("ended", "failed"), ("begun", "sent")]


def test_a_message_that_waits_behind_slow_ones_is_sent_by_one_collector(
    watched: Watched, stores: Stores, tmp_path: Path
) -> None:
    other, burns = Watched(stores, tmp_path), "product: It burns"

    def send_slowly(channel: Channel, kind: str, title: str, body: str) -> bool:
        watched.now += CLAIM_MS // 3 + 1
        other.now = watched.now
        if title == burns:
            other.watcher.watch()
        return watched.post(channel, kind, title, body)

    watched.watcher._send = send_slowly
    watched.note(TROUBLE, Trouble("away", "", "It burns", "Now.", "/", urgent=True))
    assert watched.step() == [(2, BEGUN), (3, BEGUN), (2, burns), (3, burns)]
    assert other.post.taken == []


def test_in_quiet_hours_only_what_is_urgent_is_sent(stores: Stores, tmp_path: Path) -> None:
    watched = Watched(stores, tmp_path, ALERTS_QUIET="22:00-07:00")
    watched.now = NOON + 11 * HOUR
    watched.note(TROUBLE, Trouble("away", "", "It burns", "Now.", "/", urgent=True))
    assert watched.step() == [(2, "product: It burns"), (3, "product: It burns")]
    assert watched.step(7 * HOUR) == []
    assert watched.step(HOUR) == [(2, BEGUN), (3, BEGUN)]


def test_made_up_troubles_fill_the_page_and_not_the_mailbox(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "MOST_A_DAY", 2)
    many = [Trouble("failure", str(number), f"No {number}", "", "/") for number in range(3)]
    watched.note(*many)
    assert {title for _, title in watched.step()} == {"product: No 0", "product: No 1"}
    watched.now += CALM_MS
    watched.note()
    assert {title for _, title in watched.step()} == {"product: Over: No 0", "product: Over: No 1"}
    assert len(latest_alerts(watched.stores.control, 1, 9)) == 3
    watched.note(TROUBLE, Trouble("success", "9", "No 9", "", "/"))  # only what nobody can multiply is told
    assert watched.step() == [(2, BEGUN), (3, BEGUN)]
    watched.now += DAY_MS
    watched.note(Trouble("failure", "4", "No 4", "", "/"), TROUBLE, Trouble("failure", "5", "No 5", "", "/"))
    assert {title for _, title in watched.step()} >= {"product: No 4", "product: No 5"}


def test_old_troubles_and_messages_are_deleted(watched: Watched) -> None:
    watched.note(TROUBLE)
    watched.now += CALM_MS
    watched.note()
    watched.step()
    watched.now += messages.KEEP_MS + 1
    watched.note(TROUBLE)
    assert len(latest_alerts(watched.stores.control, 1, 9)) == 1
    assert len(latest_messages(watched.stores.control, (1, SERVER), 9)) == 1


@pytest.fixture(params=["all", "transaction"])
def break_control(
    request: pytest.FixtureRequest, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """The control store is away from now on, or answers and takes nothing, as on a full disk."""

    def refuse(*_: Any) -> Any:
        raise StoreError("away")

    return lambda: monkeypatch.setattr(watched.stores.control, request.param, refuse)


def test_a_control_store_that_is_away_is_told_of_without_it(
    watched: Watched, break_control: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watched.step() == []
    break_control()
    assert watched.step() == []
    told = watched.step(int(PAUSE_SECONDS * 1000))
    assert told == [(number, "Rollcall: The database does not answer") for number in (2, 3)]
    assert watched.step(HOUR) == []
    monkeypatch.undo()
    told = watched.step(HOUR)
    assert told == [(number, "Rollcall: Over: The database does not answer") for number in (2, 3)]
    assert watched.step(HOUR) == []


def test_a_control_store_that_takes_nothing_is_told_of_once_a_source_is_in_trouble(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL on a full disk goes on to answer, and refuses only what would be written."""

    def refuse(*_: Any) -> None:
        raise StoreError("no space left")

    add_key(watched.stores.control, "product", NOON)
    monkeypatch.setattr("collector.alerts.watcher.RULES", (lambda _: [TROUBLE],))
    monkeypatch.setattr(book, "_begin", refuse)
    assert watched.step() == []
    told = watched.step(int(PAUSE_SECONDS * 1000))
    assert told == [(number, "Rollcall: The database does not answer") for number in (2, 3)]


@pytest.mark.parametrize("error", [StoreError("it takes too long"), KeyError("what a client sent")])
def test_a_question_that_fails_is_no_store_that_is_away_and_costs_no_other_source(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def rule(watch: Watch) -> Iterator[Trouble]:
        if watch.name == "large":
            raise error
        yield TROUBLE

    monkeypatch.setattr("collector.alerts.watcher.RULES", (rule,))
    for name in ("large", "small"):
        add_key(watched.stores.control, name, NOON)
    assert watched.step() == [(number, "small: Somebody waits") for number in (2, 3)]
    assert watched.step(int(PAUSE_SECONDS * 1000)) == []
    assert watched.step(HOUR) == []
    said = "it takes too long" if isinstance(error, StoreError) else "KeyError"
    assert [record.getMessage() for record in caplog.records] == [
        f"alerts of the source 'large' wait: {said}"
    ]


@pytest.mark.parametrize("error", [StoreError("it takes too long"), KeyError("what a client sent")])
def test_a_digest_that_cannot_be_made_is_said_once_and_costs_no_message_that_waits(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr("collector.alerts.watcher.add_digest", fail)
    watched.note(TROUBLE)
    assert watched.step() == [(2, BEGUN), (3, BEGUN)]
    assert watched.step(int(PAUSE_SECONDS * 1000)) == []
    said = "it takes too long" if isinstance(error, StoreError) else "KeyError"
    assert [record.getMessage() for record in caplog.records] == [f"the weekly digest waits: {said}"]


def test_a_wrong_file_is_said_once_in_the_log_and_the_message_waits(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    watched.note(TROUBLE)
    watched.file.chmod(0o644)
    assert watched.step() == watched.step(HOUR) == []
    assert caplog.text.count("no alert is sent") == 1
    watched.file.chmod(0o600)
    assert watched.step(HOUR) == [(2, BEGUN), (3, BEGUN)]
