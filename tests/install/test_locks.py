"""A stranger on the machine holds every lock that they can open: nobody waits for them."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.machine import Machine
from tests.install.scripts import AS_NOBODY
from tests.install.server import Server
from tests.wait import PATIENCE

AT_MOST = 3  # times as long; the wait for a lock would be 15 s before COMMAND and 60 s after it
HOLD = """
import contextlib, fcntl, os, resource, signal
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
places = [
    f"{root}/{folder}"
    for root in ("/opt", "/etc", "/var/lib", "/usr/local", "/run", "/var/tmp", "/tmp")
    for folder in ["", *(os.listdir(root) if os.access(root, os.R_OK) else [])]
]
held = []
for place in places:
    for folder, _, files in os.walk(place) if "rollcall" in place else [(place, [], [])]:
        for path in (folder, *(f"{folder}/{name}" for name in files)):
            with contextlib.suppress(OSError):
                held.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
                fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.lockf(held[-1], fcntl.LOCK_SH | fcntl.LOCK_NB)
print(os.getpid(), len(held), flush=True)
signal.pause()
"""

pytestmark = [pytest.mark.serial, pytest.mark.needs("root", "systemd", "user")]


@contextlib.contextmanager
def locks_held(machine: Machine, *who: str) -> Iterator[None]:
    with machine.start(*who, "python3", "-Ic", HOLD) as holder:
        assert holder.stdout
        pid, held = holder.stdout.readline().split()
        assert int(held) > 100
        try:
            yield
        finally:
            machine.run("kill", pid, check=False)


def seconds(server: Server) -> float:
    began = time.monotonic()
    said = server.install("--", "true")
    assert "the heartbeat is running" in said
    assert "another install.sh" not in said
    return time.monotonic() - began


def test_a_stranger_cannot_hold_up_an_install_by_a_lock(machine: Machine, bundle: Path) -> None:
    server = Server(machine, bundle)
    seconds(server)
    usual = seconds(server)
    with locks_held(machine, *AS_NOBODY):
        held = seconds(server)
    print(f"an install took {usual:.2f} s, and {held:.2f} s while a stranger held every lock they could open")
    assert held < AT_MOST * usual
    with locks_held(machine):
        install = machine.start(*server.installing("--", "true"))
        assert install.stdout
        assert any("waiting for another install.sh" in line for line in install.stdout)
    said, _ = install.communicate(timeout=PATIENCE)
    assert (install.returncode, "the heartbeat is running" in said) == (0, True), said
