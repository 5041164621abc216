"""The verbs that record and send: beat, flush, track, export."""

import contextlib
import gzip
import io
import json
import os
import sqlite3
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent import cli
from agent.app import App
from agent.base.files import file_stamp
from agent.base.locks import hold_lock
from agent.base.statedir import StateDir
from agent.events import catalogue
from agent.outbox.age import RUNNING
from agent.outbox.outbox import LogEntry, Outbox, read_outbox
from agent.verbs import export
from tests.agent.world import Terminal
from tests.deadends import unused_port
from tests.instance import Instance, event
from tests.receiver import Deed, Peer, Receiver, Request, answer
from tests.wait import PATIENCE

NOW = 1_800_000_000.0
FLAG = "ROLLCALL_DISABLE_TELEMETRY"


@dataclass
class Place:
    """A made-up machine, verbs run in this process."""

    path: Path
    environ: dict[str, str] = field(default_factory=dict)
    now: float = NOW
    tty: bool = False

    @property
    def state(self) -> StateDir:
        return StateDir(str(self.path / "state"))

    def run(self, *argv: str) -> tuple[int, str, str]:
        given = {
            "HOME": str(self.path / "home"),
            "ROLLCALL_STATE_DIR": self.state.path,
            "ROLLCALL_WRITE_KEY": "k",
            **self.environ,
        }
        out, err = io.StringIO(), Terminal() if self.tty else io.StringIO()
        (self.path / "cwd").mkdir(exist_ok=True)
        app = App(
            environ={name: value for name, value in given.items() if value},
            cwd=str(self.path / "cwd"),
            root=str(self.path / "root"),
            now=lambda: self.now,
            out=out,
            err=err,
        )
        with contextlib.redirect_stderr(err):
            code = cli.run_verb(argv, app)
        return code, out.getvalue(), err.getvalue()

    def report(self, *argv: str) -> dict[str, Any]:
        code, out, err = self.run(*argv, "--report")
        assert out.count("\n") == 1, err
        found: dict[str, Any] = json.loads(out)
        return found | {"code": code}

    def entries(self) -> list[LogEntry]:
        with read_outbox(self.state) as outbox:
            return outbox.entries() if outbox else []

    def states(self) -> list[str]:
        return [entry.state for entry in self.entries()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


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


def test_track_is_quiet_and_keeps_nothing_without_a_yes(place: Place) -> None:
    assert place.run("track", "Report Made", "-p", "rows:=3") == (0, "", "")
    assert not os.path.exists(place.state.path)


def test_track_keeps_scalars(place: Place) -> None:
    place.environ["ROLLCALL_USAGE_TELEMETRY"] = "true"
    argv = ["a=text", "b:=3", "c:=true", "d:=null", 'e:="3"', "f:=1.5", "g=x=y", "h=", "é=ü"]
    code, _, err = place.run("track", "Report Made", *[w for a in argv for w in ("-p", a)])

    assert (code, err) == (0, "")
    (entry,) = place.entries()
    found = entry.event
    assert isinstance(found, dict)
    assert found["event"] == "Report Made"
    assert found["properties"] == {
        "a": "text",
        "b": 3,
        "c": True,
        "d": None,
        "e": "3",
        "f": 1.5,
        "g": "x=y",
        "h": "",
        "é": "ü",
    }


@pytest.mark.parametrize(
    "text",
    [
        "novalue",
        "=x",
        ":=x",
        "a:=",
        "a:=[1]",
        "a:={}",
        "a:=NaN",
        "a:=-Infinity",
        "a:=1e999",
        "a:=" + "9" * 5000,
        "a:=" + "[" * 50_000,
        'a:="\\ud800"',
        "a=\udcff",
        "\udcff=a",
    ],
)
@pytest.mark.parametrize("opted_in", ["true", "false"])
def test_track_refuses_what_is_no_scalar(text: str, opted_in: str, place: Place) -> None:
    place.environ["ROLLCALL_USAGE_TELEMETRY"] = opted_in
    code, out, err = place.run("track", "Report Made", "-p", text)

    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "is not valid; it takes key=text, or key:=" in err
    assert not os.path.exists(place.state.outbox)


@pytest.mark.parametrize("name", ["Instance Active", " installation  started "])
def test_track_refuses_a_name_of_the_catalogue(name: str, place: Place) -> None:
    code, _, err = place.run("track", name)

    assert code == 2
    assert "is an event of Rollcall itself" in err


def recorded(place: Place, count: int) -> list[dict[str, object]]:
    made = [event(number, NOW) for number in range(count)]
    with contextlib.closing(Outbox(place.state, now=lambda: NOW)) as outbox:
        outbox._database._db.execute("PRAGMA synchronous = OFF")
        for one in made:
            outbox.record(one, "https://collector.example")
    return made


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_an_export_is_what_waits_a_line_each(name: str, place: Place, tmp_path: Path) -> None:
    made = recorded(place, export.PAGE + 1)
    path = tmp_path / name

    code, out, err = place.run("export", str(path))

    assert (code, out) == (0, "")
    assert err == f"rollcall: {len(made)} events were written to {path}\n"
    text = (gzip.decompress if name.endswith("gz") else bytes)(path.read_bytes())
    assert [json.loads(line) for line in text.splitlines()] == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert set(place.states()) == {"waiting"}


def test_an_export_may_let_go_of_what_it_wrote(place: Place, tmp_path: Path) -> None:
    recorded(place, 3)

    code, _, err = place.run("export", str(tmp_path / "out"), "--settle")
    again = place.run("export", str(tmp_path / "again"), "--settle")

    assert code == 0
    assert "3 events were written" in err
    assert "marked as exported" in err
    assert set(place.states()) == {"exported"}
    assert (again[0], (tmp_path / "again").read_bytes()) == (0, b"")


def test_an_export_of_nothing_is_an_empty_file(place: Place, tmp_path: Path) -> None:
    assert place.run("export", str(tmp_path / "out"))[0] == 0
    assert (tmp_path / "out").read_bytes() == b""
    assert not os.path.exists(place.state.path)


def test_an_export_replaces_no_file(place: Place, tmp_path: Path) -> None:
    recorded(place, 1)
    (tmp_path / "out").write_text("precious")

    code, _, err = place.run("export", str(tmp_path / "out"), "--settle")

    assert (code, (tmp_path / "out").read_text()) == (1, "precious")
    assert "choose another name" in err
    assert place.states() == ["waiting"]


def test_an_export_to_stdout_can_be_imported(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    made = instance.record(2)

    done = instance.run("export", "-", "--settle")

    assert [json.loads(line)["messageId"] for line in done.out.splitlines()] == made
    assert instance.waiting() == []


def test_an_export_that_cannot_be_written_lets_go_of_nothing(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    made = instance.record(2)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            instance.command("export", "-", "--settle"),
            env=instance.surroundings(),
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )

    assert done.returncode != 0
    assert b"No space left" in done.stderr
    assert instance.waiting() == made


def test_an_export_that_was_cut_short_is_removed(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(place, 1)

    def fail(*_: object) -> list[int]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "_write", fail)
    code, _, _ = place.run("export", str(tmp_path / "out"), "--settle")

    assert (code, (tmp_path / "out").exists()) == (1, False)
    assert place.states() == ["waiting"]


def test_a_key_file_that_cannot_be_read_is_wrong_use(place: Place, tmp_path: Path) -> None:
    place.environ |= {"ROLLCALL_WRITE_KEY": "", "ROLLCALL_WRITE_KEY_FILE": str(tmp_path)}
    for verb in ("beat", "flush"):
        code, out, err = place.run(verb)
        assert (code, out) == (2, "")
        assert "ROLLCALL_WRITE_KEY_FILE" in err
    assert place.entries() == []
