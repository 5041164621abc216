"""Nothing is lost and nothing is doubled, whatever happens to the sender and the answers."""

import contextlib
import random
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from agent.delivery.drain import MAX_BATCH_BYTES, MAX_EVENTS
from agent.events import catalogue
from agent.events.facts import System
from agent.events.shown import NEWEST
from agent.outbox.outbox import Outbox
from tests import receiver as kit
from tests.deadends import unused_port
from tests.instance import ID, KEY, Instance, event, watched
from tests.receiver import Receiver, answer
from tests.wait import until

SIX_HOURS = 6 * 3600.0
A_WEEK_AGO = 1_790_000_000.0


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    yield from watched(tmp_path)


def test_a_batch_is_small_and_in_order(instance: Instance) -> None:
    with Receiver() as receiver:
        instance.endpoint = receiver.endpoint
        made = instance.record(250)
        big = [event(1000 + number) for number in range(40)]
        with contextlib.closing(Outbox(instance.state)) as outbox:
            for one in big:
                outbox.record(one | {"properties": {"text": "x" * 31_000}}, instance.endpoint)
        assert instance.run("flush").code == 0

    assert receiver.ids == made + [str(one["messageId"]) for one in big]
    assert [len(request.ids) for request in receiver.requests][:2] == [MAX_EVENTS, MAX_EVENTS]
    assert all(len(request.ids) <= MAX_EVENTS for request in receiver.requests)
    assert max(len(request.body) for request in receiver.requests) < MAX_BATCH_BYTES + 100
    assert receiver.connections == 1, "one connection serves them all"


def test_what_is_sent_is_what_was_recorded_to_the_letter(instance: Instance) -> None:
    odd = event(0) | {"properties": {"é": "\u2028\U0001f600", "n": 1.10, "big": 10**30, "": None}}
    with Receiver() as receiver:
        instance.endpoint = receiver.endpoint
        with contextlib.closing(Outbox(instance.state)) as outbox:
            outbox.record(odd, instance.endpoint)
        instance.run("flush")

    request = receiver.requests[0]
    assert request.batch == [odd]
    assert catalogue.dumps(odd).encode() in request.body
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("rollcall/")
    assert request.line == "POST /v1/batch HTTP/1.1"
    assert request.key == KEY


def test_a_thousand_events_reach_a_receiver_that_loses_every_third_answer(
    instance: Instance,
) -> None:
    count = 0

    def forgetful(peer: kit.Peer, request: kit.Request) -> bool:
        nonlocal count
        count += 1
        return kit.close(peer, request) if count % 3 == 0 else answer(200)(peer, request)

    with Receiver(then=forgetful) as receiver:
        instance.endpoint = receiver.endpoint
        made = instance.record(1000)
        payloads = {entry.message_id: entry.event for entry in instance.entries()}
        for _ in range(50):
            if instance.run("flush", "--report").code == 0:
                break
            instance.forgive()

    assert set(receiver.ids) == set(made)
    assert len(receiver.ids) > len(made), "some came twice, or nothing was lost on the way back"
    assert set(instance.states().values()) == {"sent"}
    for request in receiver.requests:
        for one in request.batch:
            assert one == payloads[str(one["messageId"])], "under one id, one event for ever"


def test_a_week_offline_is_delivered_in_order_with_its_own_times(instance: Instance) -> None:
    instance.endpoint = f"http://127.0.0.1:{unused_port()}"
    origin = catalogue.Origin(ID, "acme", "1.0", System("debian", "12"), NEWEST)
    times = [A_WEEK_AGO + number * SIX_HOURS for number in range(28)]
    with Receiver() as receiver:
        instance.endpoint = receiver.endpoint
        for slot, at in enumerate(times):
            beat = catalogue.build(catalogue.ACTIVE, {"instanceId": ID}, origin, timestamp=at)
            with contextlib.closing(Outbox(instance.state, now=partial(float, at))) as outbox:
                assert outbox.record(beat, instance.endpoint, slot=slot)
                assert not outbox.record(beat, instance.endpoint, slot=slot), "one a slot"
                outbox.note_failure(instance.endpoint, "the network is down", at + 3600)
        ended = instance.run("flush", "--report")

    arrived = [one for request in receiver.requests for one in request.batch]
    assert [one["timestamp"] for one in arrived] == [catalogue.iso(at) for at in times]
    assert [entry.state for entry in instance.entries()] == ["sent"] * 28
    assert ended.err == (
        f"rollcall: {instance.endpoint} answers again;"
        f" events were waiting since {catalogue.iso(A_WEEK_AGO)}\n"
    )


def test_sent_at_differs_between_tries_and_nothing_else(instance: Instance) -> None:
    with Receiver(script=[answer(500), kit.close]) as receiver:
        instance.endpoint = receiver.endpoint
        instance.record(3)
        for _ in range(3):
            instance.run("flush", "--report")
            instance.forgive()

    assert len({request.sent_at for request in receiver.requests}) == 3
    assert receiver.requests[0].batch == receiver.requests[1].batch == receiver.requests[2].batch


def test_reads_wait_for_writers_and_never_fail(instance: Instance) -> None:
    """Others record while a flush reads and settles."""
    over = threading.Event()

    def record() -> None:
        number = 5000
        while not over.is_set():
            instance.record(20, first=number)
            number += 20

    with Receiver() as receiver:
        instance.endpoint = receiver.endpoint
        instance.record(300)
        recorder = threading.Thread(target=record)
        recorder.start()
        try:
            codes = [instance.run("flush", "--budget", "2s").code for _ in range(3)]
        finally:
            over.set()
            recorder.join()
    assert set(codes) <= {0, 1}
    assert "error" not in instance.printed
    assert len(receiver.ids) == len(set(receiver.ids)) >= 300


def test_a_clock_set_back_does_not_keep_events_for_ever(instance: Instance) -> None:
    with Receiver() as receiver:
        instance.endpoint = receiver.endpoint
        made = instance.record(1)
        with contextlib.closing(Outbox(instance.state)) as outbox:
            outbox.note_failure(instance.endpoint, "noted in another decade", time.time() + 10 * 365 * 86400)
        assert instance.run("flush").code == 0

    assert receiver.ids == made


def kills(seed: int, total: int) -> Iterator[tuple[int | None, float]]:
    """When to kill: after so many bytes came, or so long after an answer, or from the start."""
    chance = random.Random(seed)
    while True:
        yield chance.randrange(1, total), 0.0
        yield chance.randrange(1, total), chance.uniform(0, 0.03)
        yield None, chance.uniform(0, 0.4)


@pytest.mark.timeout(1800)  # the long form, on a loaded machine
def test_kill_9_of_a_flush_loses_nothing_and_changes_no_id(
    instance: Instance, slow: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    rounds, moments = (200 if slow else 20), kills(seed, 3 * 35_000)
    recorded: dict[str, object] = {}
    before, amid, after = 0, 0, 0
    with Receiver() as receiver:
        instance.endpoint = receiver.endpoint
        for _ in range(rounds):
            if len(instance.waiting()) < 2 * MAX_EVENTS:
                instance.record(3 * MAX_EVENTS, first=len(recorded))
                recorded |= {entry.message_id: entry.event for entry in instance.entries()}
            requests = len(receiver.requests)
            with instance.started("flush") as flush:
                ended = kill(flush, receiver, *next(moments))
            came = len(receiver.requests) > requests
            before, amid, after = (
                before + (not ended and not came),
                amid + (not ended and came),
                after + ended,
            )
            assert sound(instance)
            found = {entry.message_id: entry for entry in instance.entries()}
            assert all(recorded[one] == entry.event for one, entry in found.items())
            waiting = {one for one, entry in found.items() if entry.state == "waiting"}
            assert set(recorded) - waiting <= set(receiver.ids), "settled, so it came"
        assert instance.run("flush").code == 0
        arrived = {str(one["messageId"]): one for r in receiver.requests for one in r.batch}

    assert arrived == recorded
    with capsys.disabled():
        print(
            f"\n{rounds} kills, seed {seed}: {before} before a batch had come, {amid} amid, "
            f"{after} after the end; {len(receiver.ids) - len(arrived)} events came twice"
        )
    assert amid > 0


def kill(flush: "subprocess.Popen[str]", receiver: Receiver, after: int | None, pause: float) -> bool:
    """Kill it at that moment; whether it had ended by then."""
    goal = receiver.bytes + (after or 0)
    until(lambda: receiver.bytes >= goal or flush.poll() is not None)
    ended = wait_at_most(flush, pause)
    flush.send_signal(signal.SIGKILL)
    flush.wait()
    return ended


def wait_at_most(child: "subprocess.Popen[str]", seconds: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(seconds)
    return child.returncode is not None


def sound(instance: Instance) -> bool:
    with contextlib.closing(sqlite3.connect(instance.state.outbox)) as db:
        return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
