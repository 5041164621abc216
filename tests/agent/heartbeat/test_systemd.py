"""Datagrams to systemd, received by real sockets."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.heartbeat import systemd
from agent.heartbeat.systemd import INFO, Journal, Notifier, entry
from tests import environ
from tests.wait import PATIENCE


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "box"))
        sock.settimeout(PATIENCE)
        yield sock


def test_notifications_are_the_lines_that_systemd_knows(mailbox: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": mailbox.getsockname(), "WATCHDOG_USEC": "600000000"})
    notifier.ready("well")
    notifier.status("better")
    notifier.reloading()
    notifier.stopping("bye")
    notifier.alive()
    heard = [mailbox.recv(4096).decode() for _ in range(5)]
    assert heard[0] == "READY=1\nSTATUS=well"
    assert heard[1] == "STATUS=better"
    assert heard[2].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert heard[3:] == ["STOPPING=1\nSTATUS=bye", "WATCHDOG=1"]
    assert notifier.watchdog == 600


def test_an_abstract_socket_is_reached_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(b"\0rollcall-test-%d" % os.getpid())
        sock.settimeout(PATIENCE)
        Notifier({"NOTIFY_SOCKET": f"@rollcall-test-{os.getpid()}"}).status("here")
        assert sock.recv(100) == b"STATUS=here"


def test_only_an_at_sign_in_front_makes_a_socket_abstract(tmp_path: Path) -> None:
    (tmp_path / "a@b").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "a@b/box"))
        sock.settimeout(PATIENCE)
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "a@b/box")}).status("here")
        assert sock.recv(100) == b"STATUS=here"


def test_a_status_is_one_line_of_text_whatever_a_path_in_it_is_called(mailbox: socket.socket) -> None:
    path = os.fsdecode(b"/caf\xe9\nMAINPID=1")
    Notifier({"NOTIFY_SOCKET": mailbox.getsockname()}).ready(f"silent: unreadable in {path}")
    assert mailbox.recv(4096) == b"READY=1\nSTATUS=silent: unreadable in /caf? MAINPID=1"


def test_a_busy_receiver_is_waited_for_and_a_stuck_one_not_for_long(
    mailbox: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as crowd:
        crowd.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                crowd.sendto(b"noise", mailbox.getsockname())
    notifier = Notifier({"NOTIFY_SOCKET": mailbox.getsockname()})
    notifier.status("lost")  # returns
    telling = threading.Thread(target=notifier.ready, args=("heard",))
    long_enough, soon = PATIENCE, systemd.PATIENCE / 4
    monkeypatch.setattr(systemd, "PATIENCE", long_enough)  # this test may have to wait for its turn
    telling.start()
    telling.join(soon)
    while b"READY=1" not in mailbox.recv(4096):
        pass
    telling.join()


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere"}])
def test_without_systemd_nothing_happens(environ: dict[str, str]) -> None:
    notifier = Notifier(environ)
    notifier.ready("well")
    notifier.alive()
    assert notifier.watchdog is None


@pytest.mark.parametrize(
    "environ", [{"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}]
)
def test_a_watchdog_that_is_not_ours_is_not_fed(environ: dict[str, str]) -> None:
    assert Notifier(environ).watchdog is None


def test_a_value_cannot_begin_another_field() -> None:
    data = entry(INFO, "one\nPRIORITY=0", {"rule": "x"})
    assert data.startswith(b"MESSAGE\n" + (14).to_bytes(8, "little") + b"one\nPRIORITY=0\n")
    assert b"ROLLCALL_RULE\n" + (1).to_bytes(8, "little") + b"x\n" in data


def test_the_journals_tag_is_the_name_of_this_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rollcall.name").write_text("rollcall-acme-board\n")
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    assert b"SYSLOG_IDENTIFIER\n" + (19).to_bytes(8, "little") + b"rollcall-acme-board\n" in entry(
        INFO, "x", {}
    )


def test_lines_go_to_the_journal_if_stderr_is_its(
    mailbox: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    stderr = os.fstat(2)
    journal = Journal({"JOURNAL_STREAM": f"{stderr.st_dev}:{stderr.st_ino}"}, mailbox.getsockname())
    journal.log(INFO, "well", state="sending")
    assert b"ROLLCALL_STATE" in mailbox.recv(4096)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("environ", [{}, {"JOURNAL_STREAM": "1:2"}])
def test_lines_go_to_stderr_else(environ: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    Journal(environ).log(INFO, "well", state="sending")
    assert capfd.readouterr().err == "rollcall: well\n"


def test_a_journal_that_is_gone_is_not_waited_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    stderr = os.fstat(2)
    Journal({"JOURNAL_STREAM": f"{stderr.st_dev}:{stderr.st_ino}"}, str(tmp_path / "none")).log(INFO, "well")
    assert capfd.readouterr().err == "rollcall: well\n"


def test_a_line_that_nobody_can_hear_stops_nothing(tmp_path: Path) -> None:
    code = "from agent.heartbeat.systemd import *; Journal({}).log(INFO, 'well'); print('on')"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-I", "-c", code],
            env=environ.covered(tmp_path),
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            check=False,
        )
    assert done.stdout == "on\n"
