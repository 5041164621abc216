"""The wrapper where the machine denies it something; each in a process of its own, or without one."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.base import processes
from agent.wrapper.process import prctl, relay
from agent.wrapper.process.witness import Witness
from tests import wait
from tests.agent.runs.texts import run_text
from tests.agent.world import World
from tests.e2e.wrap.shell import PROMPT, Shell

GIVEN_UP = "this installation is not reported: "


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ((), 2, "usage: "),
        (("--",), 2, "usage: "),
        (("--bogus", "true"), 2, "usage: "),
        (("--set=ROLLCALL_INTERVAL=1h", "true"), 2, "usage: "),
        (("--set=DO_NOT_TRACK=0", "true"), 2, "usage: "),
        (("--set=ROLLCALL_PRODUCT=A=B", "--", "sh", "-c", "exit 5"), 5, ""),
        (("--help",), 0, "usage: "),
        (("--no-input", "--no-trace", "--", "sh", "-c", "exit 3"), 3, ""),
        (("sh", "-c", "exit 4", "--"), 4, ""),
    ],
)
def test_what_stands_before_cmd(world: World, words: tuple[str, ...], code: int, text: str) -> None:
    done = world.process("wrap", *words)
    assert done.code == code
    assert text in (done.out if code == 0 else done.err)


@pytest.mark.parametrize(("cmd", "code"), [("nosuchcommand", 127), ("/etc/passwd", 126), ("/bin/false", 1)])
def test_silent_it_ends_as_a_shell_would(world: World, cmd: str, code: int) -> None:
    done = world.process("wrap", "--", cmd, DO_NOT_TRACK="1")
    assert (done.code, bool(done.err)) == (code, code > 1)
    assert not (world.path / "state").exists()


def wrapped(world: World, shell: str, *words: str, patch: str = "") -> subprocess.CompletedProcess[bytes]:
    """The wrapper as a shell line starts it; patch is Python that denies it something first."""
    code = (
        f"import os, sys\nfrom agent.wrapper import boot\n{patch}\n"
        "sys.argv = ['wrap', '--', *sys.argv[1:]]\nsys.exit(boot.main(sys.argv[1:]))\n"
    )
    argv = ["sh", "-c", shell, "x", sys.executable, "-I", "-c", code, *words]
    return subprocess.run(
        argv, cwd=world.cwd, env=world.real_environ(), stdin=subprocess.DEVNULL,
        capture_output=True, check=False, timeout=wait.PATIENCE,
    )  # fmt: skip


def patched_wrap(folder: Path, patch: str) -> str:
    """A shell's words for the wrapper after the patch, to be typed at a terminal."""
    place = folder / "patched.py"
    place.write_text(
        f"import sys\nfrom agent.wrapper import boot\n{patch}\n"
        "sys.argv = ['wrap', *sys.argv[1:]]\nboot.main(sys.argv[1:])\n"
    )
    return f"{sys.executable} {place}"


def reported(world: World) -> list[str]:
    world.process("flush")
    return world.process("log", "--json").out.splitlines()


def test_a_folder_that_is_gone(world: World) -> None:
    done = wrapped(world, 'mkdir d && cd d && rmdir ../d && exec "$@"', "sh", "-c", "exit 5")
    assert done.returncode == 5
    assert len(reported(world)) == 2


@pytest.mark.needs("bash")
def test_a_script_that_removes_its_own_folder_is_told_with_its_line(world: World) -> None:
    """As one does that was unpacked there, and was started there."""
    place = world.cwd / "unpacked"
    place.mkdir()
    (place / "install.sh").write_text(f"set -e\ncd /\nrm -r {place}\nls /nosuch\n")
    done = wrapped(world, f'cd {place} && exec "$@"', "bash", "install.sh")
    assert done.returncode == 2
    failed = json.loads(reported(world)[1])["event"]["properties"]
    assert (failed["script"], failed["line"], failed["command"]) == ("install.sh", 4, "ls")


def test_a_notice_that_cannot_be_written_reports_nothing(world: World) -> None:
    done = wrapped(world, 'exec "$@" 2>/dev/full', "sh", "-c", "echo ran; exit 5")
    assert (done.returncode, done.stdout) == (5, b"ran\n")
    assert reported(world) == []
    assert os.listdir(world.path / "state/runs") == []


@pytest.mark.parametrize("umask", ["0177", "0777", "0000"])
def test_whatever_the_umask_the_owner_and_nobody_else_reads_it(world: World, umask: str) -> None:
    """And CMD's umask is the caller's."""
    state = world.path / "new/state"
    world.environ["ROLLCALL_STATE_DIR"] = str(state)
    kept = f"umask; stat -c %a {state} {state}/runs {state}/runs/*.run"
    done = wrapped(world, f'umask {umask}; exec "$@"', "sh", "-c", kept)
    assert done.stdout.decode().split() == [umask, "700", "700", "600"]
    wait.until(lambda: not os.listdir(state / "runs"))
    assert (state / "outbox.db").stat().st_mode & 0o777 == 0o600
    assert state.parent.stat().st_mode & 0o700 == 0o700


FORKS_ONLY = """
fork, left = os.fork, [{count}]
def limited():
    if not left[0]:
        raise BlockingIOError(11, "Resource temporarily unavailable")
    left[0] -= 1
    return fork()
os.fork = limited
"""


@pytest.mark.parametrize(
    ("script", "code", "told"),
    [
        ("kill -TERM $PPID; sleep 9; echo no", -15, '"signal": "SIGTERM"'),
        ("trap 'exit 4' TERM; kill -TERM $PPID; while :; do sleep 0.05; done", 4, '"exitCode": 4'),
    ],
)
def test_with_one_process_to_be_had_cmd_has_it(world: World, script: str, code: int, told: str) -> None:
    """No witness, no delivery: signals are passed on, and the outcome is on disk all the same."""
    done = wrapped(world, 'exec "$@"', "sh", "-c", script, patch=FORKS_ONLY.format(count=1))
    assert done.returncode == code
    assert b"not recorded" not in done.stderr
    assert told in reported(world)[1].replace('":', '": ').replace(":  ", ": ")


ASKS_LONG = """
from agent.wrapper.process import witness
saw = witness.Witness.saw
def slow(self, number):
    found = saw(self, number)
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)  # CMD has ended
    return found
witness.Witness.saw = slow
"""


def test_a_signal_that_cmd_outran_changes_nothing(world: World) -> None:
    """CMD ends while the witness is asked; its pid may be another's by then."""
    script = ("sh", "-c", "sleep 0.3; kill -USR1 $PPID; exit 5")
    assert wrapped(world, 'exec "$@"', *script, patch=ASKS_LONG).returncode == 5
    assert '"exitCode": 5' in reported(world)[1].replace('":', '": ').replace(":  ", ": ")


def test_a_witness_that_is_dismissed_has_gone() -> None:
    """Else it might stand a moment longer where the install did."""
    for _ in range(5):
        witness = Witness(os.getpid())
        witness.dismiss()
        assert not Path(f"/proc/{witness.pid}").exists()
        os.close(witness._pipe)


NO_SYNC = """
import agent.runs.write as runfile
def full(file): raise OSError(28, "No space left on device")
runfile.RunFile.sync = full
"""
NO_TRACE = """
import agent.wrapper.failure.trace as trace
def broken(*words): raise ValueError
trace.prepare = broken
"""


@pytest.mark.parametrize("patch", [NO_SYNC, NO_TRACE])
def test_what_fails_beside_cmd_says_nothing_after_it_without_a_terminal(world: World, patch: str) -> None:
    done = wrapped(world, 'exec "$@"', "sh", "-c", "echo ran; exit 5", patch=patch)
    assert (done.returncode, done.stdout) == (5, b"ran\n")
    assert len(done.stderr.splitlines()) == 1  # the notice


def test_what_fails_beside_cmd_is_one_line_on_a_terminal(world: World, tmp_path: Path) -> None:
    wrap = patched_wrap(tmp_path, NO_SYNC)
    with Shell(world.real_environ(), str(tmp_path)) as shell:
        shell.type(f"{wrap} --no-input sh -c 'exit 5'; echo status:$?\n")
        shell.expect("was not recorded: ")
        shell.expect("status:5")
        shell.expect(PROMPT)


CANNOT_ASK = """
import agent.wrapper.person.questions as questions
def full(*words): raise OSError(28, "No space left on device")
questions.ask_for_usage = full
"""


def test_a_question_that_fails_keeps_no_outcome_back(world: World, tmp_path: Path) -> None:
    wrap = patched_wrap(tmp_path, CANNOT_ASK)
    with Shell(world.real_environ(), str(tmp_path)) as shell:
        shell.type(f"{wrap} true; echo status:$?\n")
        shell.expect("no answer was kept: [Errno 28] No space left on device")
        shell.expect("status:0")
        shell.expect(PROMPT)
        assert "was not recorded" not in shell.screen
    wait.until(lambda: not os.listdir(world.path / "state/runs"))  # the sender has it


def test_an_error_of_ours_is_called_one(world: World) -> None:
    patch = "import agent.config.situation as s\ndef broken(*a, **k): raise ZeroDivisionError\n"
    patch += "s.read_situation = broken"
    done = wrapped(world, 'exec "$@"', "sh", "-c", "exit 5", patch=patch)
    assert done.returncode == 5
    assert b"ZeroDivisionError, an error in rollcall itself" in done.stderr


def test_a_link_in_place_of_an_outer_run_is_no_outer_run(world: World) -> None:
    runs = world.path / "state/runs"
    runs.mkdir(parents=True)
    (runs / "a.run").symlink_to("/etc/passwd")
    boot, start = processes.boot_id(), processes.started(os.getpid())
    (runs / "b.run").write_text(run_text(boot=boot, pid=f"{os.getpid()} x"))
    (runs / "c.run").write_text(run_text(boot=boot, pid=f"{os.getpid()} 1"))
    assert wrapped(world, 'exec "$@"', "true").returncode == 0
    assert len([line for line in reported(world) if "Success" in line]) == 1
    with (runs / "d.new").open("w") as live:
        fcntl.flock(live, fcntl.LOCK_EX)  # as a wrapper that runs holds it: no late sender may take it away
        live.write(run_text(boot=boot, pid=f"{os.getpid()} {start}"))
        live.flush()
        (runs / "d.new").rename(runs / "d.run")
        assert wrapped(world, 'exec "$@"', "true").stderr == b""  # the test itself is the outer one now


def test_a_notice_that_cannot_be_remembered_is_shown_again(world: World) -> None:
    code = (
        "import os, pty, sys\n"
        "from agent.config.situation import read_situation\nfrom agent.wrapper.person import notice\n"
        "master, slave = pty.openpty(); os.dup2(slave, 2)\n"
        "situation = read_situation(os.environ, cwd='/', uid=os.geteuid())\n"
        "notice.show_notice(situation); notice.show_notice(situation)\n"
        "seen = b''\n"
        "while seen.count(b'Nothing has been sent yet.') < 2: seen += os.read(master, 65536)\n"
        "sys.stdout.write(seen.decode())\n"
    )
    environment = {**world.real_environ(), "ROLLCALL_STATE_DIR": "/proc/nosuch"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert done.stdout.count(b"Nothing has been sent yet.") == 2


def test_where_no_product_was_named_the_notice_does_not_say_rollcall_twice(world: World) -> None:
    said = world.process("wrap", "--", "true").err
    assert said.startswith(
        "rollcall: this software reports this installation's outcome; to see it: rollcall preview"
    )
    said = world.process("wrap", "--", "true", ROLLCALL_PRODUCT="Acme").err
    assert said.startswith("rollcall: Acme reports this installation's outcome;")


def test_a_kernel_without_prctl_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    prctl.prctl(prctl.SET_DUMPABLE, 1)
    monkeypatch.setitem(sys.modules, "_ctypes", None)
    prctl.prctl(prctl.SET_DUMPABLE, 1)
    monkeypatch.setitem(sys.modules, "ctypes", None)
    prctl.prctl(prctl.SET_DUMPABLE, 0)
    assert Path("/proc/self/environ").stat().st_uid == os.getuid()  # dumpable still: nothing was called


def test_a_process_that_is_gone_is_thought_to_await_a_signal() -> None:
    assert relay._awaits(999999999, 15)
    assert not relay._awaits(os.getpid(), 64)
