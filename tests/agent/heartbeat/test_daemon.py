"""The daemon as a process, with a stand-in for its child."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.base.files import file_stamp
from tests import environ
from tests.parts import NOBODY
from tests.wait import PATIENCE, has_ended, until

STANDIN = Path(__file__).with_name("standin.py")
FORBIDDEN = ["requests", "dotenv", "psutil", "argparse", "subprocess", "hashlib", "dataclasses", "sqlite3"]
START = """
import sys
from agent.heartbeat.daemon import main
sys.exit(main([], [sys.executable, "-I", {standin!r}, {directory!r}]))
"""
QUIET = {
    "sending": True,
    "rule": "no-flag",
    "source": None,
    "alive": True,
    "recorded": False,
    "waiting": 0,
    "retryIn": None,
    "lastBeat": None,
    "lastError": None,
    "interval": 3600,
    "firstDelay": 0,
    "jitter": 0,
    "feedIn": None,
    "feedProblem": None,
    "critical": None,
    "files": [],
}

STARTS = 5  # times its start: within a second on a machine with nothing else to do
TRIES = 3


class Resident:
    """One daemon, its stand-in's answers, and what systemd would hear of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / "state"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(directory / "notify"))
        self._socket.settimeout(PATIENCE)
        self.heard: list[str] = []
        self.processes: list[subprocess.Popen[str]] = []
        self.answer()

    def answer(self, **changes: object) -> None:
        draft = self.directory / "answer.new"
        draft.write_text(json.dumps({**QUIET, "stateDir": str(self.state), **changes}))
        draft.rename(self.directory / "answer.json")

    def start(self, *prefix: str, **more: str) -> "subprocess.Popen[str]":
        code = START.format(standin=str(STANDIN), directory=str(self.directory))
        variables = environ.covered(self.directory, NOTIFY_SOCKET=str(self.directory / "notify"), **more)
        process = subprocess.Popen(
            [*prefix, sys.executable, "-I", "-c", code], env=variables, stderr=subprocess.PIPE, text=True
        )
        self.processes.append(process)
        return process

    def asked(self) -> list[list[str]]:
        return [line["verb"] for line in self.notes()]

    def notes(self) -> list[dict[str, Any]]:
        try:
            text = (self.directory / "asked").read_text()
        except OSError:
            return []
        whole, _, _ = text.rpartition("\n")  # a line may be seen half written where a page of the file ends
        return [json.loads(line) for line in whole.splitlines()]

    def beats(self) -> int:
        return sum(verb[0] == "beat" for verb in self.asked())

    def hear(self, what: str) -> str:
        """Wait for a notification that has `what` in it."""
        while True:
            self.heard.append(self._socket.recv(4096).decode())
            if what in self.heard[-1]:
                return self.heard[-1]

    def end(self) -> None:
        self._socket.close()
        for process in self.processes:
            process.terminate()
            try:
                process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


@pytest.fixture
def resident(tmp_path: Path) -> Iterator[Resident]:
    one = Resident(tmp_path)
    yield one
    one.end()


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    _, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, errors


def test_it_beats_and_says_so(resident: Resident) -> None:
    resident.start()
    assert "READY=1" in resident.hear("READY=1")
    until(lambda: resident.beats() == 1)
    assert resident.asked()[0] == ["flush", "--report", "--budget", "0"]
    beat = resident.asked()[1]
    assert beat[:3] == ["beat", "--report", "--slot"]
    assert beat[3].isdigit()
    assert "STATUS=sending" in "".join(resident.heard)


@pytest.mark.serial
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("busy", [False, True])
def test_it_ends_at_once(resident: Resident, number: signal.Signals, busy: bool) -> None:
    """At once is measured against its own start, which a busy machine makes longer too.

    It keeps the time of the next beat as it ends, and a disk may pause just then, but not each time.
    """
    assert any(ends_at_once(resident, number, busy) for _ in range(TRIES))


def ends_at_once(resident: Resident, number: signal.Signals, busy: bool) -> bool:
    began = time.monotonic()
    process, hanging = resident.start(), resident.directory / "hanging"
    resident.hear("READY=1")
    start = time.monotonic() - began
    if busy:
        resident.answer(do="hang")
        process.send_signal(signal.SIGHUP)
        until(lambda: hanging.exists() and hanging.read_text())
    began = time.monotonic()
    process.send_signal(number)
    code, errors = ended(process)
    took = time.monotonic() - began
    assert code == 0
    assert "Traceback" not in errors
    if busy:
        grandchild = Path("/proc") / hanging.read_text()
        until(lambda: has_ended(grandchild))
        hanging.unlink()
        resident.answer()
    return took < STARTS * start


def test_a_second_daemon_on_the_same_state_refuses_in_one_line(resident: Resident) -> None:
    resident.start()
    resident.hear("READY=1")
    code, errors = ended(resident.start())
    assert code == 1
    assert errors.splitlines()[-1].endswith(f"another daemon already uses {resident.state}")


def test_started_with_sigchld_ignored_it_hears_of_its_children_all_the_same(resident: Resident) -> None:
    ignore = (
        "from signal import *; import os, sys; signal(SIGCHLD, SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    resident.start(sys.executable, "-I", "-c", ignore)
    resident.hear("READY=1")
    until(lambda: resident.beats() == 1)


def test_a_killed_daemon_does_not_keep_the_next_one_out(resident: Resident) -> None:
    process = resident.start()
    resident.hear("READY=1")
    process.kill()
    process.wait()
    resident.start()
    resident.hear("READY=1")


def test_the_due_time_outlives_a_restart(resident: Resident) -> None:
    process = resident.start()
    resident.hear("READY=1")
    until(lambda: resident.beats() == 1)
    slot = int(resident.asked()[-1][3])
    until(lambda: json.loads((resident.state / "due.json").read_text())["slot"] > slot)
    process.terminate()
    ended(process)
    kept = json.loads((resident.state / "due.json").read_text())["due"]
    for _ in range(3):
        process = resident.start()
        resident.hear("READY=1")
        process.terminate()
        ended(process)
    assert resident.beats() == 1
    assert json.loads((resident.state / "due.json").read_text())["due"] == kept


def test_silence_makes_nothing_on_disk(resident: Resident) -> None:
    resident.answer(sending=False, rule="flag", source="DO_NOT_TRACK", firstDelay=0)
    process = resident.start()
    assert "silent: a flag is set (DO_NOT_TRACK)" in resident.hear("READY=1")
    process.terminate()
    ended(process)
    assert not resident.state.exists()
    assert resident.beats() == 0


def test_silence_and_its_end_take_effect_without_a_restart(resident: Resident) -> None:
    env = resident.directory / "docker.env"
    env.write_text("")
    stamp = env.stat()
    file = [str(env), stamp.st_dev, stamp.st_ino, stamp.st_size, stamp.st_mtime_ns]
    resident.answer(interval=1, files=[file])
    resident.start()
    until(lambda: resident.beats() >= 2)
    env.write_text("DO_NOT_TRACK=1\n")
    stamp = env.stat()
    file = [str(env), stamp.st_dev, stamp.st_ino, stamp.st_size, stamp.st_mtime_ns]
    resident.answer(interval=1, files=[file], sending=False, rule="flag")
    resident.hear("silent")
    silent = resident.beats()
    env.write_text("")
    resident.answer(interval=1, files=[[str(env), 0, 0, 0, 0]])
    resident.hear("STATUS=sending")
    until(lambda: resident.beats() > silent)


@pytest.mark.parametrize("how", ["in place", "replaced"])
def test_an_edit_is_noticed_at_once_without_systemd(resident: Resident, how: str) -> None:
    """Its own next look would come only after five minutes."""
    folder = resident.directory / "etc"
    folder.mkdir()
    env = folder / "docker.env"
    env.write_text("")
    resident.answer(files=[file_stamp(str(env))])
    resident.start()
    until(lambda: resident.beats() == 1)
    draft = folder / "draft"
    draft.write_text("DO_NOT_TRACK=1\n")
    resident.answer(files=[[str(env), 0, 0, 0, 0]], sending=False, rule="flag")  # for who asks after the edit
    if how == "in place":
        env.write_text(draft.read_text())
    else:
        draft.rename(env)
    resident.hear("silent")


def test_a_docker_env_that_is_gone_silences_until_it_is_back(resident: Resident) -> None:
    env = resident.directory / "docker.env"
    env.write_text("")
    stamp = env.stat()
    there = [str(env), stamp.st_dev, stamp.st_ino, stamp.st_size, stamp.st_mtime_ns]
    resident.answer(interval=1, files=[there])
    resident.start()
    resident.hear("READY=1")
    resident.answer(interval=1, files=[[str(env), None]])
    env.rename(resident.directory / "aside")
    assert str(env) in resident.hear("is missing")
    count = resident.beats()
    (resident.directory / "aside").rename(env)
    resident.answer(interval=1, files=[there])
    resident.hear("STATUS=sending")
    until(lambda: resident.beats() > count)


def test_without_standard_streams_no_file_of_its_own_takes_their_place(resident: Resident) -> None:
    process = resident.start("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
    resident.hear("READY=1")
    resident.answer(do="wrong")  # the child says something on its stderr
    process.send_signal(signal.SIGHUP)
    resident.hear("RELOADING=1")
    resident.hear("READY=1")
    assert (resident.state / "daemon.lock").read_bytes() == b""
    process.terminate()
    assert ended(process)[0] == 0


def test_hangup_reads_everything_anew(resident: Resident) -> None:
    process = resident.start()
    resident.hear("READY=1")
    resident.answer(sending=False, rule="flag", source="here")
    process.send_signal(signal.SIGHUP)
    reloading = resident.hear("RELOADING=1")
    assert "MONOTONIC_USEC=" in reloading
    assert "silent: a flag is set (here)" in resident.hear("READY=1")


def test_a_wrong_setting_at_the_start_ends_it_with_the_childs_word(resident: Resident) -> None:
    resident.answer(do="wrong")
    code, errors = ended(resident.start())
    assert code == 2
    assert "ROLLCALL_INTERVAL: 'soon' is no time" in errors


def test_a_wrong_setting_after_silence_does_not_end_it(resident: Resident) -> None:
    resident.answer(sending=False, rule="flag")
    process = resident.start()
    resident.hear("READY=1")
    resident.answer(do="wrong")
    process.send_signal(signal.SIGHUP)
    assert "silent" in resident.hear("READY=1")
    assert process.poll() is None


def test_a_wrong_setting_later_does_not_end_it(resident: Resident) -> None:
    process = resident.start()
    resident.hear("READY=1")
    resident.answer(do="wrong")
    process.send_signal(signal.SIGHUP)
    resident.hear("READY=1")
    assert process.poll() is None


def test_another_state_directory_is_taken_and_the_old_one_let_go(resident: Resident) -> None:
    process = resident.start()
    resident.hear("READY=1")
    old, resident.state = resident.state, resident.directory / "other"
    resident.answer()
    process.send_signal(signal.SIGHUP)
    resident.hear("RELOADING=1")
    resident.hear("READY=1")
    code, errors = ended(resident.start())
    assert (code, str(resident.state) in errors) == (1, True)
    resident.answer(stateDir=str(old))
    resident.start()
    assert "sending" in resident.hear("READY=1")


@pytest.mark.parametrize("accident", ["crash", "noise", "mute"])
def test_a_child_that_fails_is_tried_again_under_the_same_slot(resident: Resident, accident: str) -> None:
    resident.answer(interval=1, do=accident, only="beat")
    process = resident.start()
    until(lambda: resident.beats() >= 2)
    resident.answer(interval=1)
    until(lambda: len({verb[3] for verb in resident.asked() if verb[0] == "beat"}) >= 2)
    process.terminate()
    _, errors = ended(process)
    slots = [verb[3] for verb in resident.asked() if verb[0] == "beat"]
    assert slots[0] == slots[1]
    assert errors.count("it will be tried again") == 1


def test_a_product_that_is_not_alive_is_said_once_and_again_when_it_is_back(resident: Resident) -> None:
    resident.answer(interval=1, alive=False)
    resident.answer(interval=1, alive=False)
    process = resident.start()
    resident.hear("READY=1")
    until(lambda: resident.beats() >= 3)
    resident.answer(interval=1)
    count = resident.beats()
    until(lambda: resident.beats() >= count + 3)  # the first may not know yet, the last may be under way
    process.terminate()
    _, errors = ended(process)
    assert errors.count("the product is not alive") == 1
    assert errors.count("alive again") == 1


def test_it_is_told_off_by_the_watchdog_only_if_it_hangs(resident: Resident) -> None:
    resident.start(WATCHDOG_USEC="1000000")
    for _ in range(3):
        resident.hear("WATCHDOG=1")


@pytest.mark.parametrize(
    "variable", ["ROLLCALL_CREDENTIAL_SOURCE", "ROLLCALL_SYSTEM_SOURCE", "ROLLCALL_WRITE_KEY_SOURCE"]
)
def test_it_leaves_for_an_edit_of_a_file_that_a_credential_was_made_of(
    resident: Resident, variable: str
) -> None:
    source = resident.directory / "source"
    source.write_text("")
    more = {variable: str(source), "CREDENTIALS_DIRECTORY": str(resident.directory)}
    process = resident.start(**more)
    resident.hear("READY=1")
    source.write_text("DO_NOT_TRACK=1\n")
    process.send_signal(signal.SIGHUP)
    code, errors = ended(process)
    assert code == 0
    assert f"{source} was edited" in errors


def test_signals_while_it_leaves_do_not_change_how_it_ends(resident: Resident) -> None:
    process = resident.start()
    resident.hear("READY=1")
    process.terminate()
    while process.poll() is None:
        process.send_signal(signal.SIGHUP)
    assert process.returncode == 0


def test_it_leaves_at_once_for_an_edit_after_the_copy_was_made(resident: Resident) -> None:
    credentials = resident.directory / "credentials"
    credentials.mkdir()
    (credentials / "docker.env").write_text("")
    os.utime(credentials / "docker.env", (1, 1))
    source = resident.directory / "source"
    source.write_text("DO_NOT_TRACK=1\n")
    more = {"ROLLCALL_CREDENTIAL_SOURCE": str(source), "CREDENTIALS_DIRECTORY": str(credentials)}
    code, errors = ended(resident.start(**more))
    assert code == 0
    assert f"{source} was edited" in errors
    assert resident.asked() == []


@pytest.mark.needs("user")
def test_root_leaves_nothing_of_its_own_in_the_services_state(resident: Resident, open_folder: Path) -> None:
    state = open_folder / "state"
    state.mkdir()
    os.chown(state, NOBODY, NOBODY)
    resident.answer(stateDir=str(state))
    process = resident.start()
    until((state / "due.json").exists)
    process.terminate()
    ended(process)
    assert {path.stat().st_uid for path in state.iterdir()} == {NOBODY}


def test_children_know_nothing_of_systemd(resident: Resident) -> None:
    resident.start(WATCHDOG_USEC="1000000")
    until(lambda: resident.beats() == 1)
    for note in resident.notes():
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(note["environ"])


@pytest.mark.needs("unshare")
def test_as_the_first_process_of_a_container_it_obeys_signals_and_reaps(resident: Resident) -> None:
    resident.answer(interval=1, do="orphan")
    outer = resident.start("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    until(lambda: resident.beats() >= 3)
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    inner = int(children.read_text().split()[0])
    resident.answer(interval=3600)
    zombies = Path(f"/proc/{inner}/task/{inner}/children")
    until(lambda: not zombies.read_text(), why="all children are reaped")
    os.kill(inner, signal.SIGTERM)
    assert outer.wait(timeout=PATIENCE) == 0


@pytest.mark.needs("strace")
def test_it_opens_no_network_socket(resident: Resident) -> None:
    trace = resident.directory / "trace"
    resident.answer(interval=1)
    process = resident.start("strace", "-D", "-qq", "-e", "trace=socket,connect", "-o", str(trace))
    until(lambda: resident.beats() >= 2)
    process.terminate()
    ended(process)
    sockets = [line for line in trace.read_text().splitlines() if "socket(" in line]
    assert sockets, "the meter stands still"
    assert all("AF_UNIX" in line for line in sockets)


def test_it_imports_nothing_heavy() -> None:
    code = f"import agent.heartbeat.daemon, sys; print([m for m in {FORBIDDEN} if m in sys.modules])"
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, env=environ.bare("/"), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_it_explains_itself() -> None:
    for arguments, code in (["--help"], 0), (["--every", "6h"], 2):
        done = subprocess.run(
            [sys.executable, "-I", "-m", "agent", "daemon", *arguments],
            env=environ.covered("/"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code
        assert "rollcall daemon" in done.stdout + done.stderr


def test_a_state_directory_that_cannot_be_used_does_not_end_it(resident: Resident) -> None:
    blocked = resident.directory / "file"
    blocked.write_text("")
    resident.answer(interval=1, stateDir=str(blocked / "state"))
    process = resident.start()
    until(lambda: resident.beats() >= 2)
    process.terminate()
    _, errors = ended(process)
    assert errors.count("cannot use the state directory") == 1


def descriptors(pid: int) -> list[str]:
    found = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(fd))
    return found


@pytest.mark.needs("strace")
def test_a_file_system_without_locks_takes_no_descriptor_a_beat(resident: Resident) -> None:
    resident.answer(interval=1)
    inject = "inject=flock:error=ENOLCK"
    process = resident.start(
        "strace", "-D", "-qq", "-e", "trace=flock", "-e", inject, "-o", str(resident.directory / "trace")
    )
    until(lambda: resident.beats() >= 3)
    assert "(INJECTED)" in (resident.directory / "trace").read_text()
    lock = str(resident.state / "daemon.lock")  # open for a moment at each beat
    until(lambda: lock not in descriptors(process.pid))
    process.terminate()
    _, errors = ended(process)
    assert errors.count("No locks available") == 1
