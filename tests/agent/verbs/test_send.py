"""The verbs that record and send: beat and flush, and what silence does to what waits."""

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from agent.base.files import file_stamp
from agent.base.locks import hold_lock
from agent.config import credentials
from agent.events import catalogue
from agent.outbox.age import RUNNING
from agent.outbox.outbox import Outbox
from tests.agent.verbs.place import FLAG, NOW, Place
from tests.deadends import unused_port
from tests.instance import event
from tests.receiver import Deed, Peer, Receiver, Request, answer


def test_a_beat_is_recorded_and_delivered(place: Place) -> None:
    with Receiver() as receiver:
        place.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        assert place.run("beat") == (0, "", "")

    (one,) = receiver.requests[0].batch
    assert one["event"] == "Instance Active"
    assert one["properties"] == {"instanceId": one["anonymousId"]}
    assert one["timestamp"] == catalogue.iso(NOW)
    assert place.states() == ["sent"]


def test_a_beat_is_done_once_it_is_recorded_whatever_the_network_does(place: Place) -> None:
    place.environ["ROLLCALL_ENDPOINT"] = f"http://127.0.0.1:{unused_port()}"

    code, out, err = place.run("beat")

    assert (code, out) == (0, "")
    assert err.count("\n") == 1
    assert place.states() == ["waiting"]


def test_without_an_endpoint_a_beat_waits_and_a_flush_has_nothing_to_do(place: Place) -> None:
    assert place.run("beat") == (0, "", "")
    assert place.run("flush") == (0, "", "")
    assert place.states() == ["waiting"]


def test_a_flush_where_nothing_was_ever_kept_makes_nothing(place: Place) -> None:
    place.environ["ROLLCALL_ENDPOINT"] = "http://127.0.0.1:9"

    assert place.run("flush") == (0, "", "")
    assert not os.path.exists(place.state.path)


def test_one_slot_is_one_beat_however_often_it_is_asked_for(place: Place) -> None:
    first, again = place.report("beat", "--slot", "7"), place.report("beat", "--slot", "7")

    assert (first["recorded"], again["recorded"]) == (True, True)
    assert place.states() == ["waiting"]
    assert first["lastBeat"] == catalogue.iso(NOW)


def test_no_beat_for_what_is_not_alive_but_what_waits_is_delivered(place: Place) -> None:
    place.run("beat")
    with Receiver() as receiver:
        place.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        place.environ["ROLLCALL_HEALTH"] = f"tcp:127.0.0.1:{unused_port()}"
        report = place.report("beat")

    assert (report["code"], report["alive"], report["recorded"]) == (0, False, False)
    assert (len(receiver.ids), report["waiting"]) == (1, 0)


@pytest.mark.parametrize("silent", ["", "1"])
def test_the_log_lets_go_after_90_days_though_nothing_is_ever_sent_again(place: Place, silent: str) -> None:
    with contextlib.closing(Outbox(place.state)) as outbox:
        outbox.record(event(1, NOW), "")
        outbox.settle([1], "sent")
    assert place.states() == ["sent"]
    with contextlib.closing(sqlite3.connect(place.state.outbox, isolation_level=None)) as db:
        db.execute("UPDATE counter SET value = value + ? WHERE name = ?", (91 * 86400, RUNNING))
    place.environ[FLAG] = silent
    place.run("beat")
    assert place.states() == ([] if silent else ["waiting"])


def test_a_report_tells_the_daemon_all(place: Place) -> None:
    with Receiver(then=answer(503, {"Retry-After": "77"})) as receiver:
        place.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        report = place.report("beat")

    assert report["retryIn"] == 77
    assert report["lastError"] == "503 Service Unavailable"
    assert (report["sending"], report["rule"], report["alive"]) == (True, "no-flag", True)
    assert (report["waiting"], report["interval"]) == (1, 21600)
    assert report["files"]


def test_a_flush_without_budget_looks_and_sends_nothing(place: Place) -> None:
    place.run("beat")
    with Receiver() as receiver:
        place.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        report = place.report("flush", "--budget", "0")
    assert (receiver.connections, report["waiting"]) == (0, 1)


def test_a_beat_says_what_happened_on_a_terminal_and_nothing_in_a_cron_job(place: Place) -> None:
    def said() -> str:
        place.tty = False
        assert place.run("beat")[:2] == (0, "")
        place.tty = True
        code, out, err = place.run("beat")
        assert (code, out, err.count("\n")) == (0, "", 1), err
        return err.removeprefix("rollcall: ").rstrip()

    on = "a heartbeat was recorded"
    assert said() == f"{on}; no endpoint is set, so events wait on this machine"
    place.environ["ROLLCALL_HEALTH"] = f"tcp:127.0.0.1:{unused_port()}"
    dead = "no heartbeat was recorded, as what ROLLCALL_HEALTH names is not alive"
    assert said() == f"{dead}; no endpoint is set, so events wait on this machine"
    with Receiver() as receiver:
        place.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        assert said() == dead
        del place.environ["ROLLCALL_HEALTH"]
        assert said() == f"{on} and sent"
        assert place.states() == ["sent"] * 4
    with Receiver(then=answer(503, {"Retry-After": "77"})) as receiver:
        place.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        place.tty = False
        place.run("beat")
        assert said().startswith(f"{on}; 3 events are waiting: ")
    place.environ[FLAG] = "1"
    assert (
        said() == f"no heartbeat was recorded, as telemetry is off: a flag is set ({FLAG} in the environment)"
    )
    place.tty = False
    assert place.run("beat") == (0, "", "")


def test_a_flush_names_what_waits_for_another_endpoint_and_is_done(place: Place) -> None:
    place.environ["ROLLCALL_ENDPOINT"] = f"http://127.0.0.1:{unused_port()}"
    place.run("beat")
    way = "to take them out of the queue: rollcall export FILE --settle"
    with Receiver() as receiver:
        place.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        one = (0, "", f"rollcall: 1 event is waiting for another endpoint; {way}\n")
        assert place.run("flush", "--budget", "1s") == one
        assert receiver.requests == []
        place.environ["ROLLCALL_ENDPOINT"] = ""
        assert place.run("flush") == one
        place.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        assert "another endpoint" not in place.run("flush", "--report")[2], "the daemon's own"


def test_a_flush_says_what_waits_and_why(place: Place) -> None:
    place.run("beat")
    with Receiver(then=answer(503, {"Retry-After": "77"})) as receiver:
        place.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        with contextlib.closing(Outbox(place.state, now=lambda: NOW)) as outbox:
            outbox.adopt(receiver.endpoint)
        code, out, err = place.run("flush")

    assert (code, out) == (1, "")
    assert "1 event is waiting: 503 Service Unavailable; next try in 77 s" in err


def test_another_sender_is_waited_for_and_named(place: Place) -> None:
    place.run("beat")
    with Receiver() as receiver, hold_lock(place.state.sender, 0):
        place.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        with contextlib.closing(Outbox(place.state, now=lambda: NOW)) as outbox:
            outbox.adopt(receiver.endpoint)
        code, _, err = place.run("flush", "--budget", "1s")

    assert (code, receiver.connections) == (1, 0)
    assert "another process is sending" in err


@pytest.mark.parametrize("verb", ["beat", "flush", "export"])
def test_silence_erases_what_waits(verb: str, place: Place, tmp_path: Path) -> None:
    place.run("beat")
    place.environ[FLAG] = "1"
    argv = [verb, *([str(tmp_path / "out")] if verb == "export" else [])]

    assert place.run(*argv)[0] == 0
    assert place.states() == ["deleted"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["beat", "flush"])
def test_silence_on_a_fresh_machine_makes_nothing(verb: str, place: Place) -> None:
    place.environ[FLAG] = "1"

    assert place.run(verb) == (0, "", "")
    assert not os.path.exists(place.state.path)


def test_a_docker_env_that_is_gone_holds_what_waits_and_no_more(place: Place) -> None:
    file = place.path / "cwd" / "docker.env"
    file.parent.mkdir()
    file.write_text("# ours\n")
    place.run("beat")
    file.unlink()

    assert place.report("beat")["rule"] == "gone"
    assert place.states() == ["waiting"]
    file.write_text("# back\n")
    place.run("beat")
    assert place.states() == ["waiting"] * 2


def editing(file: Path) -> Deed:
    """Answer well, with the refusal written meanwhile."""

    def deed(peer: Peer, request: Request) -> bool:
        file.write_text("DO_NOT_TRACK=1\n")
        return answer(200)(peer, request)

    return deed


def test_the_daemons_check_notes_what_it_read_and_another_senders_try_does_not(place: Place) -> None:
    file = place.path / "cwd/docker.env"
    file.parent.mkdir()
    file.touch()
    place.report("flush", "--budget", "0", "--eager")
    assert not os.path.exists(place.state.seen)
    place.report("flush", "--budget", "0")
    assert Path(place.state.seen).read_text() == str(file)
    file.unlink()
    assert place.report("flush", "--budget", "0")["rule"] == "gone"


def test_of_a_copy_the_file_is_noted_and_of_a_stand_in_nothing_that_could_be_missed(place: Place) -> None:
    copies, file = place.path / "credentials", place.path / "root/etc/rollcall/docker.env"
    for folder in (copies, file.parent):
        folder.mkdir(parents=True)
    (copies / "docker.env").touch()
    (copies / "system.env").touch()
    file.touch()
    none = file.with_name("none.env")
    given = {"ROLLCALL_CREDENTIAL_SOURCE": str(file), "ROLLCALL_SYSTEM_SOURCE": str(none)}
    place.environ |= {"CREDENTIALS_DIRECTORY": str(copies), **given}
    place.report("flush", "--budget", "0")
    assert Path(place.state.seen).read_text().split("\0") == [str(file), str(copies / "system.env")]
    place.environ.clear()
    assert place.report("flush", "--budget", "0")["sending"]
    file.unlink()
    assert place.report("flush", "--budget", "0")["rule"] == "gone"


def served(place: Place) -> tuple[Path, Path]:
    """The copy of docker.env that a service is given, as which this runs from now on; and the file itself."""
    copy, file = place.path / "credentials/docker.env", place.path / "root/etc/rollcall/docker.env"
    for path in (copy, file):
        path.parent.mkdir(parents=True)
        path.write_text("A=1\n")
    place.environ = {"CREDENTIALS_DIRECTORY": str(copy.parent), "ROLLCALL_CREDENTIAL_SOURCE": str(file)}
    return copy, file


@pytest.mark.parametrize("closed", [False, True])
def test_what_waits_is_held_while_systemd_finds_no_docker_env_to_copy(closed: bool, place: Place) -> None:
    copy, file = served(place)
    aside = file.with_name("aside")
    if closed:  # the service may not look into its folder, and never sees it
        file.rename(aside)
    assert place.report("beat")["recorded"]

    if not closed:
        file.rename(aside)
    copy.write_text(f"{credentials.STAND_IN}=true")
    found = place.report("flush", "--budget", "0")
    assert (found["sending"], found["rule"], found["source"]) == (False, "gone", str(file))
    assert place.report("beat")["rule"] == "gone"
    assert place.states() == ["waiting"]

    if not closed:
        aside.rename(file)
    copy.write_text("A=1\n")
    assert place.report("beat")["recorded"]
    assert place.states() == ["waiting"] * 2


@pytest.mark.parametrize("refusal", ["a file that is there", "a flag in another file", "in the environment"])
def test_a_stand_in_for_a_docker_env_that_is_gone_hides_no_refusal(refusal: str, place: Place) -> None:
    copy, file = served(place)
    assert place.report("beat")["recorded"]

    file.unlink()
    copy.write_text(f"{credentials.STAND_IN}=true")
    if refusal == "a file that is there":
        file.mkdir()
    elif refusal == "a flag in another file":
        (place.path / "cwd/docker.env").write_text("DO_NOT_TRACK=1\n")
    else:
        place.environ[FLAG] = "1"
    assert place.report("flush", "--budget", "0")["sending"] is False
    assert place.states() == ["deleted"]


def test_an_edit_while_a_beat_is_sent_is_one_that_its_report_has_not_seen(place: Place) -> None:
    file = place.path / "cwd" / "docker.env"
    file.parent.mkdir()
    file.write_text("# ours\n")
    with Receiver(script=[editing(file)]) as receiver:
        place.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        during = place.report("beat")
    after = place.report("beat")
    assert (during["sending"], after["sending"]) == (True, False)
    seen = [file_stamp(str(file)) in report["files"] for report in (during, after)]
    assert seen == [False, True]


def test_an_edit_while_the_product_is_asked_keeps_the_beat_from_being_sent(place: Place) -> None:
    file = place.path / "cwd" / "docker.env"
    file.parent.mkdir()
    file.write_text("# ours\n")
    with Receiver(script=[editing(file)]) as product, Receiver() as receiver:
        place.environ |= {"ROLLCALL_ENDPOINT": receiver.endpoint, "ROLLCALL_HEALTH": f"{product.endpoint}/"}
        place.run("beat")
        assert (receiver.connections, place.states()) == (0, ["waiting"])
        place.run("beat")
        assert place.states() == ["deleted"]
        file.write_text("# ours\n")
        place.run("beat")
    assert len(receiver.ids) == 1


def test_a_silence_that_cannot_erase_is_told_as_silence_and_tried_again(place: Place) -> None:
    place.run("beat")
    place.environ[FLAG] = "1"
    blocked = Path(place.state.outbox + "-journal")
    blocked.mkdir()
    report = place.report("flush", "--budget", "0")
    assert (report["sending"], report["retryIn"]) == (False, 900)
    assert place.run("flush")[0] == 1
    blocked.rmdir()
    assert place.states() == ["waiting"]
    report = place.report("flush")
    assert (report["sending"], report["retryIn"], place.states()) == (False, None, ["deleted"])


def test_a_key_file_that_cannot_be_read_is_wrong_use(place: Place, tmp_path: Path) -> None:
    place.environ |= {"ROLLCALL_WRITE_KEY": "", "ROLLCALL_WRITE_KEY_FILE": str(tmp_path)}
    for verb in ("beat", "flush"):
        code, out, err = place.run(verb)
        assert (code, out) == (2, "")
        assert "ROLLCALL_WRITE_KEY_FILE" in err
    assert place.entries() == []
