"""A throw-away machine with a real systemd: this machine's root, or another, in its own namespaces.

Nothing is downloaded, nothing of the host is changed, and half a second is enough to boot. Its
clock is the host's, and the capability to set it is taken away.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.wait import PATIENCE, until

BOOT = Path(__file__).with_name("boot.sh")
NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup")
NEVER = "-sys_time,-sys_module,-sys_rawio,-syslog,-sys_boot"
LIMITS = ("setpriv", f"--bounding-set={NEVER}", "--")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}


class Machine:
    """A booted machine; see `booted`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def start(self, *command: str) -> "subprocess.Popen[str]":
        """Start a command inside, as root, without waiting for it."""
        enter = ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--"]
        return subprocess.Popen(
            [*enter, *LIMITS, *command],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str, check: bool = True, timeout: float = PATIENCE) -> str:
        """Run a command inside, as root; what it printed on both its outputs."""
        with self.start(*command) as process:
            try:
                output, _ = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        if check and process.returncode:
            raise AssertionError(f"{command} ended with {process.returncode}: {output}")
        return output.strip()

    def path(self, inside: str) -> Path:
        """A path of the machine, as seen from here: for writing and reading files."""
        return Path(f"/proc/{self.pid}/root{inside}")

    def show(self, unit: str, key: str) -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", key, unit)

    def journal(self, unit: str, *more: str) -> str:
        """A unit's messages."""
        self.run("journalctl", "--sync")
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit, *more, check=False)


@contextlib.contextmanager
def booted(root: Path = Path("/")) -> Iterator[Machine]:
    """Boot a machine on an overlay of this root; all of it is gone afterwards."""
    name = f"rollcall-test-{uuid.uuid4().hex[:8]}"
    group = cgroup_root() / name
    base = Path(tempfile.mkdtemp(prefix=name))
    group.mkdir()
    with (base / "console").open("w+") as console:
        join = f'echo 0 >"{group}/cgroup.procs"; exec "$@"'
        unshare = ["unshare", *NAMESPACES, "--propagation", "private", "--fork", "--kill-child"]
        (base / "fs").mkdir()
        outer = subprocess.Popen(
            ["sh", "-c", join, "sh", *unshare, "--", "sh", str(BOOT), str(base / "fs"), name, str(root)],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
        )
        try:
            yield Machine(wait_for_boot(outer, base / "console"))
        finally:
            (group / "cgroup.kill").write_text("1")
            outer.wait()
            until(lambda: remove(group), why=f"{group} is empty")
            shutil.rmtree(base)


def wait_for_boot(outer: "subprocess.Popen[bytes]", console: Path) -> int:
    """The pid of the machine's init, once it says that it is up."""

    def up() -> int:
        if outer.poll() is not None:
            raise AssertionError(f"did not boot: {console.read_text()}")
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        if not children:
            return 0
        state = Machine(int(children[0])).run("systemctl", "is-system-running", check=False)
        return int(children[0]) if state in {"running", "degraded"} else 0

    try:
        return until(up, why="systemd is up")
    except TimeoutError as error:
        raise AssertionError(console.read_text()) from error


def cgroup_root() -> Path:
    """Where the unified hierarchy is mounted."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return Path(next(mount[1] for mount in mounts if mount[2] == "cgroup2"))


def remove(group: Path) -> bool:
    """Remove a control group and those in it; False while something still ends there."""
    try:
        for directory, _, _ in os.walk(group, topdown=False):
            os.rmdir(directory)
    except OSError:
        return False
    return True
