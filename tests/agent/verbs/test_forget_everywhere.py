"""`forget --everywhere`: first at the endpoint, then here; or nowhere, and exit 1."""

import json
import os
from pathlib import Path

import pytest

from tests.agent.world import World, tree
from tests.receiver import Deed, Receiver, Request, answer

GIVEN = {"at": "2026-11-28T10:00:00.000Z", "deleted": {"events": 1}, "digest": "sha256:00"}


def receipt(peer: object, request: Request) -> bool:
    who = json.loads(request.body)["instanceId"]
    said = json.dumps({"success": True, "instanceId": who, **GIVEN}).encode()
    return answer(200, body=said)(peer, request)  # type: ignore[arg-type]


@pytest.fixture
def world(world: World) -> World:
    world.environ |= {"ROLLCALL_STATE_DIR": str(world.path / "state"), "ROLLCALL_WRITE_KEY": "key"}
    return world


def test_the_receipt_is_printed_and_then_all_is_gone_here(world: World) -> None:
    with Receiver(script=[answer(200), receipt]) as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        world.run("beat")
        instance = world.run("status", "--json").json["instanceId"]
        done = world.run("forget", "--everywhere")
        asked = receiver.requests[1]
    assert (done.code, done.json) == (0, {"endpoint": receiver.endpoint, "instanceId": instance, **GIVEN})
    assert asked.line.startswith("POST /v1/forget ")
    assert (asked.key, json.loads(asked.body)) == ("key", {"instanceId": instance})
    assert world.run("status", "--json").json["instanceId"] is None
    assert world.run("log", "--json").out == ""


def test_on_a_copied_disk_the_other_machines_id_is_neither_shown_nor_deleted(world: World) -> None:
    """Its own first event would have a new one."""
    machine = world.root / "etc/machine-id"
    machine.parent.mkdir(parents=True, exist_ok=True)
    machine.write_text("0123456789abcdef" * 2)
    with Receiver(script=[answer(200), receipt]) as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        world.run("beat")
        instance = world.run("status", "--json").json["instanceId"]
        shown = world.run("preview", "Instance Active").json["anonymousId"]
        machine.write_text("fedcba9876543210" * 2)
        assert world.run("status", "--json").json["instanceId"] is None
        assert world.run("preview", "Instance Active").json["anonymousId"] not in (None, instance)
        done = world.run("forget", "--everywhere")
        assert (done.code, done.out, len(receiver.requests)) == (0, "", 1)
    assert instance == shown
    assert "copied from another machine" in done.err
    assert not os.path.exists(world.state.id)


@pytest.mark.parametrize("left", [b"", b"{", b'{"instanceId": "x"}'])
def test_with_a_damaged_id_nobody_can_be_asked_and_nothing_is_deleted(world: World, left: bytes) -> None:
    with Receiver() as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        world.run("beat")
        Path(world.state.id).write_bytes(left)
        before = world.run("log", "--json").out
        done = world.run("forget", "--everywhere")
        assert (done.code, done.out, len(receiver.requests)) == (1, "", 1)
    assert "damaged" in done.err
    assert "nothing was deleted" in done.err
    assert world.run("log", "--json").out == before != ""
    assert world.run("forget").code == 0


def test_with_an_id_that_is_gone_nobody_can_be_asked_and_nothing_is_deleted(world: World) -> None:
    """The log alone still says under which id events were sent."""
    with Receiver() as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        world.run("beat")
        os.unlink(world.state.id)
        before = world.run("log", "--json").out
        done = world.run("forget", "--everywhere")
        assert (done.code, done.out, len(receiver.requests)) == (1, "", 1)
    assert "gone, so the endpoint cannot be asked, and nothing was deleted" in done.err
    assert world.run("log", "--json").out == before != ""
    assert world.run("forget").code == 0


def test_without_an_id_and_without_a_sent_event_nobody_need_be_asked(world: World) -> None:
    with Receiver() as receiver:
        world.run("beat")
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        os.unlink(world.state.id)
        assert world.run("forget", "--everywhere").code == 0
        assert receiver.requests == []
    assert world.run("log", "--json").out == ""


def test_an_id_of_before_is_named_for_nobody_can_ask_for_it_later(world: World) -> None:
    with Receiver(script=[answer(200), answer(200), receipt]) as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        world.run("beat")
        before = world.run("status", "--json").json["instanceId"]
        Path(world.state.id).write_bytes(b"{")
        world.run("beat")
        done = world.run("forget", "--everywhere")
        assert json.loads(receiver.requests[2].body) != {"instanceId": before}
    assert (done.code, done.json["endpoint"]) == (0, receiver.endpoint)
    assert f"events were also sent under {before}: " in done.err
    assert str(done.json["instanceId"]) not in done.err


@pytest.mark.parametrize(
    ("deed", "why"),
    [
        (answer(404), "404 Not Found"),
        (answer(401), "check the write key"),
        (answer(503), "503 Service Unavailable"),
        (answer(200), "does not support this"),
        (answer(200, body=b"ok"), "does not support this"),
        (answer(200, {"Content-Type": "text/html"}, b"<html>"), "a web page answers in its place"),
        (answer(200, body=b"[" * 60_000), "does not support this"),
        (answer(200, body=b'{"success":true,"instanceId":"other"}'), "does not support this"),
    ],
    ids=range(8),
)
def test_without_a_receipt_nothing_is_deleted_here(world: World, deed: Deed, why: str) -> None:
    with Receiver(script=[answer(200), deed]) as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        world.run("beat")
        before = world.run("log", "--json").out
        done = world.run("forget", "--everywhere")
    assert (done.code, done.out) == (1, "")
    assert why in done.err
    assert "nothing was deleted here" in done.err
    assert world.run("log", "--json").out == before != ""


@pytest.mark.parametrize("more", [{"DO_NOT_TRACK": "1"}, {"ROLLCALL_ENDPOINT": ""}], ids=["off", "none"])
def test_where_no_endpoint_may_be_asked_nothing_is_deleted(world: World, more: dict[str, str]) -> None:
    with Receiver() as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        world.run("beat")
        before = tree(Path(world.state.path))
        world.environ |= more
        done = world.run("forget", "--everywhere")
        assert len(receiver.requests) == 1
    assert (done.code, "nothing was deleted" in done.err) == (1, True)
    assert tree(Path(world.state.path)) == before


def test_an_endpoint_of_before_is_named_and_gets_no_key_of_another(world: World) -> None:
    with Receiver() as former, Receiver(then=receipt) as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = former.endpoint
        world.run("beat")
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        done = world.run("forget", "--everywhere")
        assert len(former.requests) == 1
    assert (done.code, done.json["endpoint"]) == (1, receiver.endpoint)
    assert f"also sent to {former.endpoint}, so nothing was deleted here" in done.err
    assert world.run("forget").code == 0
