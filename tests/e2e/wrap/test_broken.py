"""Whatever is broken on our side, CMD runs, ends as it would, and one line says what was given up."""

import os
import shutil
import signal
import subprocess
import sys
import venv
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

import agent
from tests import environ
from tests.e2e.wrap.side_by_side import WRAP, Sides
from tests.wait import PATIENCE, until

CMD = ("sh", "-c", "echo ran; echo err >&2; exit 6")
GIVEN_UP = b"rollcall: this installation is not reported: "
SHELLS = {"bash": "#!/bin/bash -p", "dash": "#!/bin/dash", "busybox": "#!/usr/bin/busybox sh"}


def check(done: subprocess.CompletedProcess[bytes], why: bytes) -> None:
    line, rest = done.stderr.split(b"\n", 1)
    assert (done.returncode, done.stdout, rest) == (6, b"ran\n", b"err\n"), done
    assert line.startswith(GIVEN_UP), line
    assert why in line, line


@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [
        ("ROLLCALL_STATE_DIR", "/dev/null/state", b"Not a directory (/dev/null/state)"),
        ("ROLLCALL_STATE_DIR", "/proc/state", b"No such file or directory (/proc/state)"),
        ("ROLLCALL_ENDPOINT", "ftp://x", b"ROLLCALL_ENDPOINT"),
        ("ROLLCALL_INTERVAL", "soon", b"ROLLCALL_INTERVAL"),
    ],
)
def test_a_setting_that_leads_nowhere(covered: Sides, setting: str, value: str, why: bytes) -> None:
    env = covered.environment(**{setting: value})
    check(subprocess.run([*WRAP, "--", *CMD], env=env, capture_output=True, check=False), why)


@pytest.mark.needs("unshare")
def test_a_full_disk(covered: Sides) -> None:
    covered.state.mkdir()
    script = (
        f"mount -t tmpfs -o size=64k none {covered.state} && head -c 65536 /dev/zero >{covered.state}/full"
    )
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{script} && exec "$@"', "x"]
    done = subprocess.run(
        [*argv, *WRAP, "--", *CMD], env=covered.environment(), capture_output=True, check=False
    )
    check(done, b"No space left on device")


@pytest.mark.needs("unshare")
def test_a_disk_that_fills_up_while_cmd_runs(covered: Sides) -> None:
    """The run file has its first block, and the end fits into it: it is on record all the same."""
    covered.state.mkdir()
    mount = f'mount -t tmpfs -o size=64k none {covered.state} && "$@"; echo $?; cat {covered.state}/runs/*'
    fills = f"cat /dev/zero >{covered.state}/full 2>&-; exit 6"
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, "x"]
    done = covered.bare([*argv, *WRAP, "--", "sh", "-c", fills])
    code, _, record = done.out.partition(b"\n")
    assert code == b"6"
    assert b"\nended " in record
    assert record.endswith(b" exit 6\n")


def test_no_processes_left_to_start_one(covered: Sides) -> None:
    """Where nothing can be forked, the wrapper becomes CMD."""
    code = (
        "import os, sys\n"
        "from agent.wrapper import boot\n"
        "def fork(): raise BlockingIOError(11, 'Resource temporarily unavailable')\n"
        "os.fork = fork\n"
        "sys.argv = ['wrap', '--', *sys.argv[1:]]\n"
        "sys.exit(boot.main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *CMD], env=covered.environment(), capture_output=True, check=False
    )
    notice, given_up, err = done.stderr.splitlines()
    assert b"reports this" in notice
    assert given_up.startswith(GIVEN_UP)
    assert (done.returncode, done.stdout, err) == (6, b"ran\n", b"err")
    assert covered.events() == []


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with a copy of the agent in it. Nothing is ever started from it."""
    place = tmp_path_factory.mktemp("pattern")
    venv.create(place / "venv", with_pip=False, symlinks=True)
    (site,) = (place / "venv/lib").glob("python*/site-packages")
    halves = shutil.ignore_patterns("*.pyc.*")  # as other processes write them just now
    shutil.copytree(Path(agent.__file__).parent, site / "agent", ignore=halves)
    (place / "state").mkdir()
    return place


@pytest.fixture
def private(pattern: Path, tmp_path: Path) -> Path:
    """A copy of the pattern for one test: a delivery of another one may still write where it was started."""
    return Path(shutil.copytree(pattern, tmp_path / "private", symlinks=True))


def installed(private: Path, shell: str) -> Path:
    """The command, as install.sh would put it in place, under one of the shells."""
    template = Path(__file__).parents[3] / "install/launcher.sh"
    text = (
        template.read_text().replace("@NAME@", "rollcall").replace("@PYTHON@", f"{private}/venv/bin/python")
    )
    command = private / f"rollcall-{shell}"
    command.write_text(text.replace("#!/bin/sh", SHELLS[shell], 1))
    command.chmod(0o755)
    return command


def launch(private: Path, shell: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    command = installed(private, shell)
    env = environ.bare(private, ROLLCALL_STATE_DIR=str(private / "state"))
    return subprocess.run([command, *words], env=env, capture_output=True, check=False, timeout=PATIENCE)


def check_explains_nothing(private: Path, shell: str) -> None:
    """Whoever asks how CMD would be watched does not want it run."""
    done = launch(private, shell, "wrap", "--no-trace", "--explain", "--", *CMD)
    assert (done.returncode, done.stdout) == (1, b""), done
    assert done.stderr.startswith(GIVEN_UP), done


@pytest.mark.needs("bash", "dash", "busybox")
@pytest.mark.parametrize("shell", SHELLS)
def test_an_environment_that_lost_parts(private: Path, shell: str) -> None:
    (site,) = (private / "venv/lib").glob("python*/site-packages")
    done = launch(private, shell, "wrap", "--no-input", "--", *CMD)
    assert b"reports this" in done.stderr.splitlines()[0]
    assert done.returncode == 6
    until(lambda: not stopped_copies(private), why="the end of the delivery, which could write what is lost")
    for lost, why in (
        ("wrapper/run.py", b"ModuleNotFoundError"),
        ("config/situation.py", b"ModuleNotFoundError"),
        ("wrapper/process/caller.py", b"not installed for this Python"),
        ("", b"not installed for this Python"),
    ):
        shutil.rmtree(site / "agent/__pycache__", ignore_errors=True)
        assert (site / "agent" / lost).exists()
        until(partial(removed, site / "agent" / lost))  # a delivery may be writing there still
        check(launch(private, shell, "wrap", "--no-input", "--", *CMD), why)
    check_explains_nothing(private, shell)
    sane = launch(private, shell, "wrap", "--", "grep", "-E", "Sig(Ign|Blk)|^State", "/proc/self/status")
    assert (
        sane.stdout
        == subprocess.run(
            ["grep", "-E", "Sig(Ign|Blk)|^State", "/proc/self/status"], capture_output=True, check=True
        ).stdout
    )
    (private / "venv/bin/python").unlink()
    check(launch(private, shell, "wrap", "--no-trace", "--", *CMD), b"cannot start")
    check_explains_nothing(private, shell)
    assert launch(private, shell, "wrap").returncode == 2
    for verb in ("beat", "status"):
        gone = launch(private, shell, verb)
        assert (gone.returncode, gone.stdout) == (1, b"")
        assert (
            gone.stderr
            == (
                f"rollcall: the agent is gone: there is no {private}/venv/bin/python;"
                f" install it again, or delete this command ({private}/rollcall-{shell})\n"
            ).encode()
        )
    until(lambda: not stopped_copies(private), why="no stopped copy of the launcher left")


@pytest.mark.needs("bash", "dash", "busybox")
@pytest.mark.parametrize("shell", SHELLS)
def test_where_nobody_can_be_told_cmd_runs_all_the_same(private: Path, shell: str) -> None:
    (site,) = (private / "venv/lib").glob("python*/site-packages")
    argv = [str(installed(private, shell)), "wrap", "--no-input", "--", "sh", "-c", "echo ran; exit 6"]
    env = environ.bare(private, ROLLCALL_STATE_DIR=str(private / "state"))

    def check_that_it_runs(words: list[str], stderr: int = subprocess.DEVNULL) -> None:
        done = subprocess.run(
            words, env=env, stdout=subprocess.PIPE, stderr=stderr, check=False, timeout=PATIENCE
        )
        assert (done.returncode, done.stdout) == (6, b"ran\n")

    for lost in (site / "agent", private / "venv/bin/python"):
        assert removed(lost)
        for deaf in ('exec "$@" 2>&-', 'exec "$@" 2>/dev/full'):
            check_that_it_runs(["sh", "-c", deaf, "x", *argv])
        reader, writer = os.pipe()
        os.close(reader)
        check_that_it_runs(argv, stderr=writer)
        os.close(writer)
    until(lambda: not stopped_copies(private), why="no stopped copy of the launcher left")


def test_an_interrupt_while_python_starts_ends_it_as_any_program(private: Path) -> None:
    """A .pth file is read as early as anything of an environment's: there the start is held up."""
    (site,) = (private / "venv/lib").glob("python*/site-packages")
    os.mkfifo(private / "gate")
    (site / "held.pth").write_text(
        f"import os; open({str(private / 'here')!r}, 'w'); open({str(private / 'gate')!r})\n"
    )
    argv = [str(installed(private, "bash")), "wrap", "--no-input", "--", *CMD]
    env = environ.bare(private, ROLLCALL_STATE_DIR=str(private / "state"))
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        until((private / "here").exists)
        os.kill(process.pid, signal.SIGINT)
        assert process.communicate(timeout=PATIENCE)[0] == b""
        assert process.returncode == -signal.SIGINT
    end_stopped_copies(private)


@pytest.mark.parametrize("left", [b"", b"#!/nonexistent/python\n", b"\x7fELF\0\0"])
def test_an_interpreter_that_is_no_program_any_more(private: Path, left: bytes) -> None:
    """As a full disk, a power cut in an upgrade or a lost loader leaves it."""
    python = private / "venv/bin/python"
    python.unlink()
    python.write_bytes(left)
    python.chmod(0o755)
    done = launch(private, "bash", "wrap", "--no-input", "--", *CMD)
    assert (done.returncode, done.stdout) == (6, b"ran\n"), done
    assert GIVEN_UP in done.stderr
    until(lambda: not stopped_copies(private), why="no stopped copy of the launcher left")


def test_without_memory_cmd_runs_or_the_caller_is_told_by_the_code(private: Path) -> None:
    """With least, the loader cannot start Python, and nothing of ours is left to run CMD."""
    command, seen = installed(private, "bash"), set()
    env = environ.bare(private, ROLLCALL_STATE_DIR=str(private / "state"))
    for kilobytes in (4000, 6000, 8000, 12000, 20000, 200000):
        limited = f'ulimit -c 0; ulimit -v {kilobytes}; exec "$@"'
        argv = ["bash", "-c", limited, "x", str(command), "wrap", "--no-input", "--", *CMD]
        done = subprocess.run(argv, env=env, capture_output=True, check=False, timeout=PATIENCE)
        assert (done.returncode, done.stdout) == (6, b"ran\n") or (done.returncode and not done.stdout), done
        seen.add(done.returncode)
    assert seen >= {6, 127}
    end_stopped_copies(private)


def removed(path: Path) -> bool:
    path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)
    return not path.exists()


def test_what_is_lost_once_cmd_runs_does_not_run_it_again(private: Path) -> None:
    (site,) = (private / "venv/lib").glob("python*/site-packages")
    (site / "agent/wrapper/process/relay.py").unlink()
    shutil.rmtree(site / "agent/wrapper/__pycache__", ignore_errors=True)
    for end, code in (("exit 6", 6), ("kill -TERM $$", -15)):
        done = launch(private, "bash", "wrap", "--no-input", "--", "sh", "-c", f"echo ran; sleep 0.2; {end}")
        assert (done.returncode, done.stdout) == (code, b"ran\n"), done
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("end", "how"), [("exit 6", b"exit 6"), ("kill -TERM $$", b"signal 15")])
def test_an_install_that_replaces_the_agent_is_on_record(private: Path, end: str, how: bytes) -> None:
    """An upgrade takes the files away that the wrapper was started from."""
    (private / "upgrade").write_text(f"#!/bin/bash\nset -e\nrm -r {private}/venv\necho ran\n{end}\n")
    (private / "upgrade").chmod(0o755)
    done = launch(private, "bash", "wrap", "--no-input", "--", str(private / "upgrade"))
    assert (done.returncode, done.stdout) == (6 if end == "exit 6" else -15, b"ran\n"), done
    assert len(done.stderr.splitlines()) == 1
    (run,) = (private / "state/runs").glob("*.run")
    assert run.read_bytes().endswith(b" " + how + b"\n")


def stopped_copies(place: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(place) in (entry / "cmdline").read_bytes():
                found.append(entry.name)
        except OSError:
            continue
    return found


def end_stopped_copies(place: Path) -> None:
    """Python ended before it could end the launcher's copy, which would run CMD in its place."""
    for pid in stopped_copies(place):
        with suppress(ProcessLookupError):  # a delivery ends by itself
            os.kill(int(pid), signal.SIGKILL)


@pytest.mark.needs("root", "user")
def test_a_state_directory_of_another_user_is_used_with_that_users_rights(in_the_open: Sides) -> None:
    (in_the_open.state / "runs").mkdir(parents=True)
    for path in (in_the_open.state, in_the_open.state / "runs"):
        os.chown(path, 65534, 65534)
    assert in_the_open.wrapped(["sh", "-c", "id -u; stat -c %u ../../state/runs/*.run"]).out == b"0\n65534\n"
    assert len(in_the_open.events()) == 2


@pytest.mark.needs("root", "user")
@pytest.mark.parametrize("planted", ["runs", "state"])
def test_a_planted_link_is_not_followed_as_root(covered: Sides, planted: str) -> None:
    victim = covered.base / "victim"
    victim.mkdir(mode=0o700)
    if planted == "runs":
        covered.state.mkdir()
        (covered.state / "runs").symlink_to(victim)
        os.chown(covered.state, 65534, 65534)
        covered.base.chmod(0o755)
        done = subprocess.run(
            [*WRAP, "--", *CMD], env=covered.environment(), capture_output=True, check=False
        )
        check(done, b"runs")
        assert list(victim.iterdir()) == []
    else:  # the administrator's own link is theirs to make
        covered.state.symlink_to(victim)
        assert covered.wrapped(["true"]).code == 0
        assert (victim / "runs").is_dir()
