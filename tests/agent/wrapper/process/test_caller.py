import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.base import processes
from agent.wrapper.process import caller
from agent.wrapper.process.caller import Caller, Environment
from tests import environ

entries = st.lists(st.binary(max_size=8).map(lambda b: b.replace(b"\0", b"")), max_size=8)


@given(entries)
def test_an_environment_gives_back_every_entry_that_execve_takes(given: list[bytes]) -> None:
    environment = Environment(given)
    pairs = zip(environment.keys(), environment.values())
    if not environment.odd():
        assert [name + b"=" + value for name, value in pairs] == given
    assert len(environment) == len(given)


@given(entries, st.sampled_from([b"A", b"B"]))
def test_an_entry_is_replaced_in_its_place(given: list[bytes], name: bytes) -> None:
    before = Environment([b"A=1", *given])
    after = before.with_entry(name, b"new")
    assert after[name] == b"new"
    assert before.get(b"A") == b"1"
    others = [entry for entry in after.entries if not entry.startswith(name + b"=")]
    assert others == [entry for entry in before.entries if not entry.startswith(name + b"=")]


def test_the_first_of_a_repeated_name_counts() -> None:
    environment = Environment([b"A=1", b"A=2", b"odd", b"B=\xff"])
    assert environment[b"A"] == b"1"
    assert environment.text() == {"A": "1", "B": "\udcff"}
    assert environment.odd()
    with pytest.raises(KeyError):
        environment[b"C"]


@pytest.mark.parametrize("name", ["DO_NOT_TRACK", "DISABLE_TELEMETRY", "SHOP_DISABLE_TELEMETRY"])
def test_of_a_repeated_flag_the_one_that_silences_counts(name: str) -> None:
    flags = [f"{name}={value}".encode() for value in ("0", "", "1", "false")]
    assert Environment(flags).text() == {name: "1"}
    assert Environment(flags[:2]).text() == {name: "0"}


def test_what_the_launcher_noted_decides_what_was_ignored() -> None:
    number = signal.SIGPIPE
    before = signal.getsignal(number)
    try:
        signal.signal(number, signal.SIG_IGN)
        assert number in Caller(f"{1 << (number - 1):016x}:").ignored
        assert number not in Caller("0:").ignored
    finally:
        signal.signal(number, before)


def test_the_stopped_copy_of_the_launcher_is_read_and_dismissed() -> None:
    with subprocess.Popen(["sh", "-c", "kill -STOP $$"], env={"odd.name": "1", "B": "2"}) as keeper:
        os.waitpid(keeper.pid, os.WUNTRACED)
        found = Caller(f"0:{keeper.pid}").environment.entries
        assert b"odd.name=1" in found
        keeper.returncode = 0
    assert not Path(f"/proc/{keeper.pid}").exists()
    assert Caller("0:999999999").environment.entries == [
        name + b"=" + value for name, value in os.environb.items()
    ]


def test_a_copy_of_the_launcher_that_has_ended_takes_no_environment_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one that a SIGCONT to the whole group lets go on. Of such a process older kernels show nothing."""
    with subprocess.Popen(["true"]) as keeper:
        os.waitid(os.P_PID, keeper.pid, os.WEXITED | os.WNOWAIT)
        reads, gone = caller._read, f"/proc/{keeper.pid}/environ"
        monkeypatch.setattr(caller, "_read", lambda path: b"" if path == gone else reads(path))
        found = Caller(f"0:{keeper.pid}").environment.entries
        keeper.returncode = 0
    assert found == [name + b"=" + value for name, value in os.environb.items()]


def test_a_caller_without_an_environment_gives_none() -> None:
    with subprocess.Popen(["/bin/sh", "-c", "kill -STOP $$"], env={}) as keeper:
        os.waitpid(keeper.pid, os.WUNTRACED)
        assert Caller(f"0:{keeper.pid}").environment.entries == []
        keeper.returncode = 0


def test_a_parent_that_is_no_shell_says_nothing_of_what_was_ignored() -> None:
    code = "from agent.wrapper.process import caller; print(caller._ignored_by_parent())"
    argv = [sys.executable, "-c", code]
    assert subprocess.run(argv, env=environ.covered("/"), capture_output=True, check=True).stdout == b"0\n"
    shell = ["bash", "-c", "trap '' PIPE; \"$@\"; :", "x", *argv]
    assert (
        int(subprocess.run(shell, env=environ.covered("/"), capture_output=True, check=True).stdout) & 1 << 12
    )


def test_words_are_exact_where_the_locale_is_not_utf_8() -> None:
    code = "from agent.wrapper.process.caller import command_arguments as last; print(last(2), last(0))"
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code, b"a", b"\xff\xe4"],
        env=environ.covered("/", LC_ALL="POSIX", PYTHONCOERCECLOCALE="0"),
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"[b'a', b'\\xff\\xe4'] []\n"


def test_processes_are_told_by_pid_and_start() -> None:
    assert processes.started(os.getpid()) > 0
    assert processes.started(999999999) == 0
    assert (os.getppid(), processes.started(os.getppid())) == processes.ancestors()[0]
    assert len(processes.boot_id()) == 36
    assert caller.PASSES_ON
