"""The notice before CMD: when it is shown, how long it is, and that nothing is reported before it."""

import fcntl
import os
import subprocess
from pathlib import Path

from tests import environ
from tests.e2e.wrap.desk import Desk
from tests.e2e.wrap.side_by_side import WRAP, Sides
from tests.receiver import Receiver
from tests.wait import until

NEWS = "New in these reports since you were last told"
ID = "11111111-2222-4333-8444-555555555555"
FULL, SHORT = "Nothing has been sent yet.", "reports this installation's outcome"


def test_the_notice_is_full_once_and_then_one_line(desk: Desk) -> None:
    desk.asked_before()
    with desk.shell() as shell:
        shell.run("w echo o''ne")
        first = shell.transcript
        shell.run("w echo t''wo")
        second = shell.transcript.removeprefix(first)
    assert FULL in first
    assert SHORT not in first
    assert first.index(FULL) < first.index("\none")
    assert SHORT in second
    assert FULL not in second
    assert second.index(SHORT) < second.index("\ntwo")


def test_after_an_upgrade_the_notice_says_what_is_new_and_only_then_it_is_sent(desk: Desk) -> None:
    desk.asked_before()
    desk.environment["CI"] = "true"
    for name, text in (("instance.json", f'{{"instanceId": "{ID}", "machine": null}}'), ("notice-shown", "")):
        (desk.place / "state" / name).write_text(text)
    with desk.shell() as shell:
        shell.run("w echo o''ne 2>/dev/null")
        assert len(desk.log()) == 2
        shell.run("w echo t''wo")
        shell.run("w echo t''hree")
    assert shell.transcript.count(NEWS) == 1
    assert shell.transcript.index(NEWS) < shell.transcript.index("\ntwo")
    runs = [event["context"]["installation"] for event in desk.log()]
    assert ["environment" in run for run in runs] == [False, False, True, True, True, True]


def test_without_a_terminal_the_notice_is_one_line_and_nothing_follows(covered: Sides) -> None:
    for command in (["sh", "-c", "echo last >&2; exit 1"], ["sh", "-c", "echo last >&2"]):
        argv = [word for word in WRAP if word != "--no-input"]
        ending = covered.bare([*argv, "--", *command])
        notice, last = ending.err.splitlines()
        assert SHORT.encode() in notice
        assert last == b"last"


def test_nothing_is_sent_nor_begun_before_the_notice_is_written(tmp_path: Path) -> None:
    """stderr is a pipe that is full: the wrapper waits to write the notice, and all else waits with it."""
    with Receiver() as receiver:
        environment = environ.covered(
            tmp_path, ROLLCALL_STATE_DIR=str(tmp_path / "state"), ROLLCALL_ENDPOINT=receiver.endpoint
        )
        read, write = os.pipe()
        os.write(write, b"." * fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096))
        argv = [*WRAP, "--", "touch", str(tmp_path / "begun")]
        with subprocess.Popen(argv, env=environment, stderr=write) as process:
            os.close(write)
            until(lambda: "pipe" in Path(f"/proc/{process.pid}/wchan").read_text())
            assert receiver.connections == 0
            assert not (tmp_path / "begun").exists()
            shown = b""
            while data := os.read(read, 65536):
                shown += data
        os.close(read)
        assert process.returncode == 0
        assert (tmp_path / "begun").exists()
        assert SHORT.encode() in shown.lstrip(b".")
        receiver.wait_for(1)


def test_without_stderr_nothing_is_reported(covered: Sides) -> None:
    argv = ["sh", "-c", '"$@" 2>&-', "x", *WRAP, "--", "sh", "-c", "exit 4"]
    assert covered.bare(argv).code == 4
    assert covered.events() == []
    assert covered.bare([*argv[:2], '"$@" 2>/dev/null', *argv[3:]]).code == 4
    assert len(covered.events()) == 2
