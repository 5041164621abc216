"""Which program of a shell script failed: told by the kernel and the script's text, or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.base import processes
from agent.wrapper.exits import exits, taskstats, watcher
from agent.wrapper.exits.exits import Exits
from agent.wrapper.process.caller import Environment
from tests import environ, wait
from tests.agent.wrapper.exits import idioms
from tests.e2e.wrap.side_by_side import Sides, wrap_after

if TYPE_CHECKING:
    from agent.runs.write import Place

ROOT = Path(__file__).parents[4]
NOBODY = 65534
SHELLS = ("dash", "busybox", "bash", "ksh", "mksh", "yash", "zsh")
kernel_tells = pytest.mark.needs("root", "taskstats")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The programs that the idioms run."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in idioms.PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    return tmp_path


class Install:
    """One script, run as the wrapper runs it."""

    def __init__(self, folder: Path, name: str, argv: list[str], text: str) -> None:
        self.place = folder / name.replace("/", "-")
        self.place.mkdir()
        for file, content in {**idioms.FILES, "install.sh": text + "\n"}.items():
            (self.place / file).write_text(content)
            (self.place / file).chmod(0o755)
        self.environ = environ.bare(folder, PATH=f"{folder}/bin:/usr/bin:/bin")
        entries = [f"{key}={value}".encode() for key, value in self.environ.items()]
        os.chdir(self.place)
        prepared = exits.prepare([word.encode() for word in argv], Environment(entries))
        assert prepared is not None
        self.exits: Exits = prepared
        self.cmd = subprocess.Popen(
            argv,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.exits.watch(self.cmd.pid)

    def where(self) -> Place | None:
        code = self.cmd.wait(wait.PATIENCE)
        assert code, "it was to fail"
        return self.exits.failed(self.cmd.pid, code)

    def told(self) -> tuple[str, int] | None:
        place = self.where()
        return (place[1], int(place[3])) if place else None


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(watcher, "BUSY", wait.PATIENCE)  # so much, should the machine have other work


@kernel_tells
@pytest.mark.parametrize("shell", [pytest.param(name, marks=pytest.mark.needs(name)) for name in SHELLS])
def test_the_program_that_failed_is_named_and_never_a_wrong_one(folder: Path, shell: str) -> None:
    argv = [shell, *(["sh"] if shell == "busybox" else []), "install.sh"]
    scripts = [(name, text, truth) for name, (text, truth) in idioms.FAILING.items()]
    scripts += [(name, text, None) for name, text in idioms.DOUBTFUL.items()]
    found = {name: Install(folder, name, argv, text).told() for name, text, _ in scripts}
    assert found == {name: truth for name, _, truth in scripts}


@kernel_tells
@pytest.mark.needs("dash")
def test_bare_and_wrapped_are_alike_and_the_event_names_the_program(folder: Path, tmp_path: Path) -> None:
    patient = f"from agent.wrapper.exits import watcher; watcher.BUSY = {wait.PATIENCE}"
    sides = Sides(tmp_path, wrap=wrap_after(patient))
    env = sides.environment()
    env["PATH"] = f"{folder}/bin:{env['PATH']}"
    expected = {}
    for name, (text, truth) in idioms.FAILING.items():
        files = {
            **{file: content.encode() for file, content in idioms.FILES.items()},
            "install.sh": text.encode(),
        }
        bare = sides.bare(["dash", "install.sh"], files=files, env=env)
        assert sides.wrapped(["dash", "install.sh"], files=files, env=env) == bare, name
        expected[name] = truth or (None, None)
    ends = [event for event in sides.events() if event["event"] == "Installation Errors"]
    places = [end["properties"] for end in sorted(ends, key=lambda end: str(end["timestamp"]))]
    told = [
        (place.get("command"), place.get("commandExitCode")) for place in places if isinstance(place, dict)
    ]
    assert len(told) == len(idioms.FAILING)
    assert dict(zip(idioms.FAILING, told)) == expected


@kernel_tells
@pytest.mark.parametrize(
    "how",
    [
        ["-c", "fine; fetch || exit 3; fine"],
        ["-ec", "fine; fetch; fine"],
        ["-e", "-c", "fetch x; fine", "name", "word"],
    ],
)
def test_a_text_on_the_command_line_is_read(folder: Path, how: list[str]) -> None:
    assert Install(folder, "one", ["sh", *how], "").told() == ("fetch", 22)


@kernel_tells
@pytest.mark.parametrize(
    ("argv", "text", "script"),
    [
        (["./install.sh"], "#!/bin/sh -e\nfetch", "install.sh"),
        (["sh", "-e", "../one/install.sh"], "tar() { cp . . ; }\nfetch", "install.sh"),
        (["sh", "install.sh"], ". ./lib.sh\nfetch", "-"),
        (["sh", "install.sh"], "command . ./lib.sh\nfetch", "-"),
        (["sh", "install.sh"], "eval 'fetch'", "-"),
        (["sh", "-c", "fine; fetch"], "", "-"),
    ],
)
def test_the_script_is_named_if_what_failed_stands_in_it(
    folder: Path, argv: list[str], text: str, script: str
) -> None:
    assert Install(folder, "one", argv, text).where() == ("-", "fetch", script, "22")


@kernel_tells
@pytest.mark.parametrize("first", ["#!/bin/sh -e", "#! /usr/bin/env sh\nset -e", "", "#!/bin/dash -e"])
def test_the_first_line_tells_the_shell(folder: Path, first: str) -> None:
    text = f"{first}\nfine\nfetch\nfine" if first else "fine\nexec fetch"
    assert Install(folder, "one", ["./install.sh"] if first else ["sh", "./install.sh"], text).told() == (
        "fetch",
        22,
    )


@pytest.mark.parametrize(
    "argv", [["python3", "x.py"], ["make"], ["nosuch"], ["sh"], ["sh", "-i", "x"], ["sh", "/nosuch"]]
)
def test_what_is_no_script_that_can_be_read_is_left_alone(argv: list[str]) -> None:
    assert exits.prepare([word.encode() for word in argv], Environment([b"PATH=/usr/bin:/bin"])) is None


ASK = """
import os, sys
from agent.wrapper.exits.exits import prepare
from agent.wrapper.process.caller import Environment
{first}
print(prepare([b"sh", b"-c", b"false"], Environment([b"PATH=/usr/bin:/bin"])))
"""


@kernel_tells
@pytest.mark.needs("user", "unshare")
@pytest.mark.parametrize(
    ("before", "first", "heard"),
    [
        ([], "", True),
        ([], f"os.setuid({NOBODY})", False),
        (["unshare", "--pid", "--fork"], "", False),
        (["unshare", "--user", "--map-root-user"], "", False),
    ],
)
def test_users_and_containers_are_told_nothing(before: list[str], first: str, heard: bool) -> None:
    argv = [*before, sys.executable, "-c", ASK.format(first=first)]
    told = subprocess.run(argv, cwd=ROOT, env=environ.bare("/"), capture_output=True, text=True, check=True)
    assert (told.stdout != "None\n") is heard


def watcher_of(install: Install) -> int:
    """The pid of the child that listens."""
    assert install.exits._watcher is not None
    return install.exits._watcher.pid


def opened(pid: int) -> list[str]:
    """What its descriptors are. It looks a stranger's parent up now and then."""
    names: list[str] = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            names.append(os.readlink(f"/proc/{pid}/fd/{fd}").partition(":")[0])
        except OSError:
            continue
    return sorted(names)


@kernel_tells
def test_the_watcher_has_no_rights_and_nothing_of_the_installs(folder: Path) -> None:
    secret = os.open("/etc/passwd", os.O_RDONLY)
    install = Install(folder, "one", ["sh", "-c", "sleep 600"], "")
    pid = watcher_of(install)
    wait.until(lambda: "CapPrm:\t0000000000000000" in Path(f"/proc/{pid}/status").read_text())
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    wait.until(lambda: [name for name in opened(pid) if name != "/dev/null"] == ["pipe", "pipe", "socket"])
    assert os.getpgid(pid) == pid
    os.close(secret)
    install.cmd.kill()
    install.cmd.wait()
    assert install.exits.failed(install.cmd.pid, 137) is None
    wait.until(lambda: processes.state(pid) in ("Z", ""))
    os.waitpid(pid, 0)


STORM = "i=0; while [ $i -lt {count} ]; do /bin/true; i=$((i+1)); done"


def resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@kernel_tells
def test_strangers_exits_neither_stay_nor_push_ours_out(folder: Path, slow: bool) -> None:
    count = 20_000 if slow else 1_500
    install = Install(folder, "one", ["sh", "-c", "sleep 600; fetch || exit 3; fine"], "")
    pid = watcher_of(install)
    subprocess.run(["sh", "-c", STORM.format(count=count // 10)], check=True)
    before = resident(pid)
    subprocess.run(["sh", "-c", STORM.format(count=count)], check=True)
    assert resident(pid) - before < 512
    (sleep,) = Path(f"/proc/{install.cmd.pid}/task/{install.cmd.pid}/children").read_text().split()
    os.kill(int(sleep), signal.SIGKILL)
    assert install.told() == ("fetch", 22)


@kernel_tells
def test_where_events_were_lost_nothing_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taskstats, "BUFFER", 8192)
    install = Install(folder, "one", ["sh", "-c", "sleep 600; fetch || exit 3; fine"], "")
    pid = watcher_of(install)
    os.kill(pid, signal.SIGSTOP)
    subprocess.run(["sh", "-c", STORM.format(count=200)], check=True)
    (sleep,) = Path(f"/proc/{install.cmd.pid}/task/{install.cmd.pid}/children").read_text().split()
    os.kill(int(sleep), signal.SIGKILL)
    install.cmd.wait(wait.PATIENCE)
    os.kill(pid, signal.SIGCONT)
    assert install.told() is None


@kernel_tells
def test_a_watcher_that_was_killed_names_nothing(folder: Path) -> None:
    install = Install(folder, "one", ["sh", "-c", "sleep 0.2; fetch"], "")
    pid = watcher_of(install)
    os.kill(pid, signal.SIGKILL)
    assert install.told() is None
