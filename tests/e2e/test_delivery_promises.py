"""One sender at a time; silence stops it at once; each event to its endpoint; nothing is told."""

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import receiver as kit
from tests.instance import KEY, Instance, watched
from tests.receiver import Receiver, answer
from tests.wait import PATIENCE, until

FLAG = "ROLLCALL_DISABLE_TELEMETRY=true\n"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    yield from watched(tmp_path)


class Gate:
    """Holds the answer to each batch back until it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()

    def __call__(self, peer: kit.Peer, request: kit.Request) -> bool:
        self.opened.wait(PATIENCE)
        return answer(200)(peer, request)


def test_a_streak_is_one_line_at_its_start_and_one_at_its_end(instance: Instance) -> None:
    with Receiver(script=[answer(500), answer(502), kit.reset, answer(401)]) as receiver:
        instance.endpoint = receiver.endpoint
        said = []
        for verb in ("beat", "flush", "beat", "flush", "beat", "flush", "beat"):
            said.append(instance.run(verb, "--report").err)
            instance.forgive()

    assert [text.count("\n") for text in said] == [1, 0, 0, 0, 1, 0, 0]
    assert "does not accept events: 500 Internal Server Error; events are waiting" in said[0]
    assert "answers again" in said[4]


def test_two_flushes_are_one_sender(instance: Instance) -> None:
    gate = Gate()
    with Receiver(then=gate) as receiver:
        instance.endpoint = receiver.endpoint
        made = instance.record(250)
        with instance.started("flush") as first:
            receiver.wait_for(1)
            with instance.started("flush") as second:
                until(lambda: holds(second, instance.state.sender), why="the second waits")
                assert len(receiver.requests) == 1
                gate.opened.set()
                assert first.wait(PATIENCE) == 0
                assert second.wait(PATIENCE) == 0

    assert receiver.ids == made, "each once"
    assert receiver.connections == 1


def test_a_second_flush_waits_no_longer_than_its_budget(instance: Instance) -> None:
    gate = Gate()
    with Receiver(then=gate) as receiver:
        instance.endpoint = receiver.endpoint
        instance.record(1)
        with instance.started("flush") as first:
            receiver.wait_for(1)
            second = instance.run("flush", "--budget", "1s")
            beat = instance.started("beat")
            gate.opened.set()
            with beat as third:
                assert third.wait(PATIENCE) == 0
            assert first.wait(PATIENCE) == 0

    assert (second.code, receiver.connections >= 1) == (1, True)
    assert "another process is sending" in second.err


def test_the_lock_of_a_sender_that_was_killed_is_free(instance: Instance) -> None:
    gate = Gate()
    with Receiver(script=[kit.hang], then=gate) as receiver:
        gate.opened.set()
        instance.endpoint = receiver.endpoint
        made = instance.record(1)
        with instance.started("flush") as first:
            receiver.wait_for(1)
            first.kill()
            first.wait()
        assert instance.run("flush").code == 0

    assert receiver.ids == made * 2


def test_silence_stops_a_long_flush_at_the_next_batch(instance: Instance) -> None:
    gate = Gate()
    with Receiver(then=gate) as receiver:
        instance.endpoint = receiver.endpoint
        made = instance.record(350)
        with instance.started("flush") as flush:
            receiver.wait_for(1)
            instance.env_file.write_text(FLAG)
            gate.opened.set()
            assert flush.wait(PATIENCE) == 1
        assert receiver.ids == made[:100]
        assert instance.run("flush").code == 0

    assert receiver.ids == made[:100], "and nothing after it"
    assert list(instance.states().values()) == ["sent"] * 100 + ["deleted"] * 250


def test_silence_stops_a_flush_that_waits_for_its_next_try(instance: Instance) -> None:
    with Receiver(script=[answer(429, {"Retry-After": "3"})]) as receiver:
        instance.endpoint = receiver.endpoint
        instance.record(1)
        with instance.started("flush") as flush:
            receiver.wait_for(1)
            instance.env_file.write_text(FLAG)
            assert flush.wait(PATIENCE) == 1

    assert len(receiver.requests) == 1


def test_disable_during_a_flush_sends_nothing_more(instance: Instance) -> None:
    gate = Gate()
    with Receiver(then=gate) as receiver:
        instance.endpoint = receiver.endpoint
        instance.env_file.write_text("# ours\n")
        instance.record(350)
        with instance.started("flush") as flush:
            receiver.wait_for(1)
            assert instance.run("disable").code == 0
            assert instance.waiting() == []
            gate.opened.set()
            flush.wait(PATIENCE)

    assert len(receiver.requests) == 1
    assert set(instance.states().values()) == {"deleted"}


def test_after_a_change_of_endpoint_the_old_events_wait_and_status_says_so(
    instance: Instance,
) -> None:
    with Receiver() as old, Receiver() as new:
        instance.endpoint = old.endpoint
        before = instance.record(3)
        instance.endpoint = new.endpoint
        after = instance.record(2, first=3)
        assert instance.run("flush").code == 0
        assert (new.ids, old.connections) == (after, 0)
        assert instance.status()["waiting"] == 3
        said = instance.run("status").out
        assert "3, of which 3 for another endpoint" in said
        assert "rollcall export FILE --settle" in said

        instance.endpoint = old.endpoint
        assert instance.run("flush").code == 0
        assert old.ids == before


def test_what_was_recorded_without_an_endpoint_goes_to_the_first_that_is_set(
    instance: Instance,
) -> None:
    made = instance.record(2)
    assert instance.run("flush").code == 0
    assert instance.waiting() == made
    with Receiver() as receiver:
        instance.endpoint = receiver.endpoint
        assert instance.run("flush").code == 0

    assert receiver.ids == made


def test_neither_key_nor_payload_is_in_arguments_or_output(instance: Instance) -> None:
    gate = Gate()
    with Receiver(then=gate) as receiver:
        instance.endpoint = receiver.endpoint
        made = instance.record(1)
        with instance.started("flush") as flush:
            receiver.wait_for(1)
            seen = b"".join(Path(f"/proc/{flush.pid}/{path}").read_bytes() for path in ("cmdline", "comm"))
            gate.opened.set()
            assert flush.wait(PATIENCE) == 0
    for fault in (kit.reset, answer(400), answer(401), kit.hang, kit.say(b"?\r\n\r\n")):
        with Receiver(then=fault) as receiver:
            instance.endpoint = receiver.endpoint
            made += instance.record(1)
            for verb in ("flush", "beat"):
                instance.run(verb, "--report", *(["--budget", "1s"] if verb == "flush" else []))
            instance.run("status")

    printed = instance.printed + seen.decode()
    assert "agent\0flush" in printed
    assert "cannot be reached" in printed
    for secret in (KEY, "Something Used", "properties", *made):
        assert secret not in printed


def test_an_exception_of_transport_names_neither_key_nor_payload(instance: Instance) -> None:
    """Even where the proxy's address holds a password."""
    instance.environ = {"http_proxy": "http://user:hunter2@127.0.0.1:1"}
    instance.endpoint = "http://collector.invalid"
    instance.record(1)
    instance.run("flush", "--report")
    instance.run("status")

    assert "cannot be reached" in instance.printed
    assert "hunter2" not in instance.printed


def holds(child: "subprocess.Popen[str]", path: str) -> bool:
    """Whether the process has the file open."""
    with contextlib.suppress(OSError):
        folder = f"/proc/{child.pid}/fd"
        return any(os.readlink(f"{folder}/{one}") == path for one in os.listdir(folder))
    return False
