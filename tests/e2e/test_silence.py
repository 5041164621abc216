"""Off is silent, counted in system calls; beside each silent run, the same meter on a loud one."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import environ
from tests.wait import PATIENCE

pytestmark = pytest.mark.needs("strace")

CALLS = "execve,network,open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat"
CALLS += ",symlink,symlinkat,link,linkat,rename,renameat,renameat2"
VERBS = [
    ["beat"],
    ["flush", "--budget", "5"],
    ["track", "Filled"],
    ["export", "-"],
    ["status"],
    ["log"],
    ["preview"],
]
FLAGS = ["ROLLCALL_DISABLE_TELEMETRY", "APPSMITH_DISABLE_TELEMETRY", "DISABLE_TELEMETRY", "DO_NOT_TRACK"]
STRACE = ["strace", "-f", "--seccomp-bpf", "-qq", "-s", "256", "-e", f"trace={CALLS}", "-o"]
AGENT = [
    sys.executable,
    "-I",
    "-B",
    "-m",
    "agent",
]  # -B: Python's own cache of bytecode is not what is counted
NETWORK = re.compile(r"\b(?:socket|connect|sendto|sendmsg|sendmmsg|bind|getpeername)\(")
CREATES = re.compile(r"O_CREAT|\b(?:mkdir|mknod|symlink|link|rename)(?:at2?)?\(")
SECRET = "hunter2"


@dataclass
class Site:
    """A made-up server: home, working directory, state, and a place for each kind of docker.env."""

    path: Path

    def __post_init__(self) -> None:
        for name in ("home", "cwd", "credentials", "config/rollcall", "etc/rollcall", "named"):
            (self.path / name).mkdir(parents=True)

    @property
    def state(self) -> Path:
        return self.path / "state"

    def environ(self, **more: str) -> dict[str, str]:
        loud = {
            "ROLLCALL_ENDPOINT": "http://127.0.0.1:9",
            "ROLLCALL_STATE_DIR": str(self.state),
            "ROLLCALL_USAGE_TELEMETRY": "true",
            "ROLLCALL_ENV_FILE": str(self.path / "named/docker.env"),
            "CREDENTIALS_DIRECTORY": str(self.path / "credentials"),
            "XDG_CONFIG_HOME": str(self.path / "config"),
        }
        return environ.bare(self.path / "home", **{**loud, **more})

    def place(self, name: str) -> Path:
        folders = {"named": "named", "cwd": "cwd", "credential": "credentials", "config": "config/rollcall"}
        return self.path / folders[name] / "docker.env"

    def traced(self, verb: list[str], *prefix: str, **more: str) -> "Trace":
        log = self.path / "strace.log"
        done = subprocess.run(
            [*STRACE, str(log), *prefix, *AGENT, *verb],
            cwd=self.path / "cwd", env=self.environ(**more), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        return Trace(done.returncode, done.stdout, done.stderr, log.read_text(errors="replace"))


@dataclass
class Trace:
    """What a verb printed and the calls it made."""

    code: int
    out: str
    err: str
    calls: str

    def __post_init__(self) -> None:
        """Leave out what prepared the surroundings: all before the agent's own start."""
        self.calls = self.calls.partition(f'execve("{sys.executable}"')[2]

    @property
    def network(self) -> list[str]:
        return [line for line in self.calls.splitlines() if NETWORK.search(line)]

    @property
    def made(self) -> list[str]:
        return [line for line in self.calls.splitlines() if CREATES.search(line) and " = -1 " not in line]


@pytest.fixture
def site(open_folder: Path) -> Site:
    return Site(open_folder / "site")


def assert_silent(site: Site, *prefix: str, source: str = "", **more: str) -> None:
    for verb in VERBS:
        trace = site.traced(verb, *prefix, **more)
        assert trace.code == 0, trace
        assert (trace.network, trace.made) == ([], []), verb
        assert not site.state.exists(), verb
        if verb == ["status"]:
            assert "sending       no" in trace.out, trace
            assert source in trace.out
        assert SECRET not in trace.out + trace.err


def assert_loud(site: Site, *prefix: str, **more: str) -> None:
    """The meter moves: the same verbs, without the flag."""
    trace = site.traced(["beat"], *prefix, **more)
    assert trace.code == 0, trace
    assert any("connect(" in line for line in trace.network)
    assert any("outbox.db" in line for line in trace.made)
    assert (site.state / "instance.json").exists()
    assert "sending       yes" in site.traced(["status"], *prefix, **more).out
    shutil.rmtree(site.state)


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_in_the_environment_is_silence(site: Site, flag: str) -> None:
    assert_silent(site, source=f"{flag} in the environment", **{flag: "1"})
    assert_loud(site, **{flag: " No "})


@pytest.mark.parametrize("place", ["named", "cwd", "credential", "config"])
@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_in_any_docker_env_is_silence(site: Site, flag: str, place: str) -> None:
    path = site.place(place)
    path.write_text(f"DB_PASSWORD={SECRET}\n{flag}=yes\n")
    path.chmod(0o600)
    assert_silent(site, source=f"{path}:2")
    path.write_text(f"DB_PASSWORD={SECRET}\n{flag}=no\n")
    assert_loud(site)


@pytest.mark.parametrize("place", ["named", "cwd", "credential", "config"])
def test_where_environment_and_file_disagree_it_is_silence(site: Site, place: str) -> None:
    path = site.place(place)
    path.write_text("DO_NOT_TRACK=true\n")
    assert_silent(site, DO_NOT_TRACK="false")
    path.write_text("DO_NOT_TRACK=false\n")
    assert_silent(site, DO_NOT_TRACK="true")
    assert_loud(site, DO_NOT_TRACK="0")


def test_where_two_files_disagree_it_is_silence(site: Site) -> None:
    site.place("named").write_text("DO_NOT_TRACK=0\n")
    site.place("config").write_text("DO_NOT_TRACK=1\n")
    assert_silent(site, source=f"{site.place('config')}:1")
    site.place("config").write_text("DO_NOT_TRACK=0\n")
    assert_loud(site)


@pytest.mark.needs("unshare")
def test_a_flag_in_the_machines_docker_env_is_silence(site: Site) -> None:
    """In a mount namespace of its own, over which /etc is a tmpfs: the real one is not touched."""
    script = (
        'mount -t tmpfs none /etc && mkdir /etc/rollcall && printf "%s" "$0" >/etc/rollcall/docker.env'
        ' && exec "$@"'
    )

    def with_etc(text: str) -> list[str]:
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, text]

    for flag in FLAGS:
        for verb in (["beat"], ["status"], ["flush"]):
            trace = within(site, with_etc(f"A=1\n{flag}=on it is\n"), verb)
            assert (trace.code, trace.network, trace.made) == (0, [], []), trace
            assert not site.state.exists()
        assert "/etc/rollcall/docker.env:2" in within(site, with_etc(f"A=1\n{flag}=1\n"), ["status"]).out
    loud = within(site, with_etc("DO_NOT_TRACK=0\n"), ["beat"])
    assert loud.network
    assert loud.made
    assert not Path("/etc/rollcall/docker.env").exists()


def within(site: Site, prefix: list[str], verb: list[str]) -> Trace:
    """Trace the verb alone and not what prepares its surroundings."""
    log = site.path / "strace.log"
    done = subprocess.run(
        [*prefix, *STRACE, str(log), *AGENT, *verb],
        cwd=site.path / "cwd", env=site.environ(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    return Trace(done.returncode, done.stdout, done.stderr, log.read_text(errors="replace"))


ODD = {
    "unbalanced quote": (b"A=1\nPASSWORD='hunter2\nB=2\n", ":2"),
    "bare flag": (b"PASSWORD=hunter2\n\nDO_NOT_TRACK\n", ":3"),
    "flag with a space": (b"DO_NOT_TRACK 1\n", ":1"),
    "duplicate flag": (b"DO_NOT_TRACK=0\nPASSWORD=hunter2\nDO_NOT_TRACK=0\n", ":3"),
    "no text": (b"PASSWORD=hunter2\xff\n", ""),
    "nul": (b"PASSWORD=hunter2\n\0\n", ""),
    "huge": (b"PASSWORD=hunter2\n" * 70_000, ""),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_docker_env_in_doubt_is_silence_and_its_text_is_never_shown(site: Site, kind: str) -> None:
    text, line = ODD[kind]
    path = site.place("cwd")
    path.write_bytes(text)
    path.chmod(0o600)
    assert_silent(site, source=f"{path}{line}")
    path.write_text("DO_NOT_TRACK=0\n")
    assert_loud(site)


@pytest.mark.parametrize(
    "kind", ["directory", "fifo", "dangling symlink", "symlink to a device", "symlink loop"]
)
def test_a_docker_env_that_is_no_file_is_silence_and_hangs_nobody(site: Site, kind: str) -> None:
    path = site.place("cwd")
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to({"dangling symlink": "nowhere", "symlink to a device": "/dev/zero"}.get(kind, path))
    assert_silent(site, source=str(path))
    shutil.rmtree(path) if kind == "directory" else path.unlink()
    assert_loud(site)


def test_a_docker_env_that_was_read_and_is_gone_is_silence_until_it_is_back(site: Site) -> None:
    path = site.place("named")
    path.write_text("A=1\n")
    assert site.traced(["beat"]).network
    path.unlink()
    for verb in (["beat"], ["flush"]):
        trace = site.traced(verb)
        assert (trace.code, trace.network) == (0, [])
    assert str(path) in site.traced(["status"]).out
    waiting = site.traced(["status"]).out
    assert "waiting       1" in waiting  # a silence that may pass erases nothing
    path.write_text("A=1\n")
    assert site.traced(["beat"]).network


def test_silence_erases_what_waits_and_turning_on_again_sends_nothing_from_before(site: Site) -> None:
    assert site.traced(["track", "Filled", "-p", "x=SECRETWORD"]).code == 0
    database = site.state / "outbox.db"
    assert b"SECRETWORD" in database.read_bytes()
    assert site.traced(["flush"], DO_NOT_TRACK="1").network == []
    assert b"SECRETWORD" not in database.read_bytes()
    assert "deleted" in site.traced(["log"]).out
    after = site.traced(["flush"])
    assert (after.code, after.network) == (0, [])


def as_nobody(site: Site, verb: list[str]) -> Trace:
    """Trace a verb as an ordinary user, to whom the site is opened."""
    site.path.chmod(0o777)
    return site.traced(verb, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.mark.needs("user")
@pytest.mark.parametrize("kind", ["mode 000", "in a closed folder", "a stranger's symlink to root's file"])
def test_what_an_ordinary_user_may_not_read_is_silence(site: Site, kind: str) -> None:
    path = site.place("cwd")
    if kind == "a stranger's symlink to root's file":
        secret = site.path / "secret"
        secret.write_text(f"PASSWORD={SECRET}\n")
        secret.chmod(0o600)
        path.symlink_to(secret)
        os.lchown(path, 1234, 1234)
    else:
        path.write_text(f"PASSWORD={SECRET}\nDO_NOT_TRACK=0\n")
        path.chmod(0o000 if kind == "mode 000" else 0o644)
    if kind == "in a closed folder":
        path = site.place("config")
        path.parent.chmod(0o700)
        site.place("cwd").unlink()
    for verb in (["beat"], ["status"], ["flush"], ["log"]):
        trace = as_nobody(site, verb)
        assert (trace.code, trace.network, trace.made) == (0, [], []), trace
        assert SECRET not in trace.out + trace.err
        if verb == ["status"]:
            assert f"cannot be read ({path})" in trace.out
    if kind == "in a closed folder":
        path.parent.chmod(0o755)
    else:
        path.unlink()
    assert as_nobody(site, ["beat"]).network


@pytest.mark.needs("root")
@pytest.mark.parametrize("kind", ["foreign-owned", "world-writable"])
def test_a_strangers_docker_env_can_silence_and_nothing_more(site: Site, kind: str) -> None:
    path = site.place("cwd")
    victim = site.path / "shadow"
    victim.write_text("roots-secret\n")
    planted = (
        f"ROLLCALL_WRITE_KEY_FILE={victim}\nROLLCALL_ENDPOINT=http://127.0.0.1:1\nROLLCALL_PRODUCT=Evil\n"
    )

    def plant(text: str) -> None:
        path.write_text(text)
        path.chmod(0o666 if kind == "world-writable" else 0o644)
        os.chown(path, 0 if kind == "world-writable" else 1234, 0)

    plant(planted + "DO_NOT_TRACK=1\n")
    assert_silent(site, source=f"{path}:4")
    plant(planted)
    trace = site.traced(["beat"])
    assert "sin_port=htons(9)" in trace.calls
    assert "sin_port=htons(1)" not in trace.calls
    assert "shadow" not in trace.calls
    assert "Evil" not in site.traced(["status"]).out
    assert f"the settings in {path} are not used" in site.traced(["status"]).err
