"""A virtual machine whose power can be cut: both stores of the collector, each on a disk of its own.

What is not flushed is lost twice: with the memory of the guest, and in the cache of its disks (`cutdisk.py`).
"""

import http.client
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.collector.cluster import Cluster
from tests.collector.running import Collector
from tests.e2e.cutdisk import CutDisk, make_ext4
from tests.e2e.hostroot import make_initrd, make_root
from tests.e2e.virtual import kernel
from tests.wait import until

PORTS = {"sqlite": 8001, "postgresql": 8002}  # of the collectors in the guest, by their store
CMDLINE = "console=ttyS0 quiet panic=-1 mitigations=off nowatchdog no_timer_check audit=0"
BOOT_SECONDS = 900.0
SHOWN = 4000  # characters of the console, in a failure


@dataclass(frozen=True)
class Machine:
    """What is in the machine, and the write key of each store."""

    folder: Path
    kernel: Path
    initrd: Path
    root: Path
    disks: dict[str, CutDisk]
    keys: dict[str, str]

    def lose(self, survives: Callable[[], bool]) -> None:
        """What a cut does to the disks; see `CutDisk.cut`."""
        for disk in self.disks.values():
            disk.cut(survives)


@dataclass(frozen=True)
class Guest:
    """The machine while it runs: where its collectors are reached, and what their stores held before."""

    ports: dict[str, int]
    kept: dict[str, list[str]]
    cut: Callable[[], None]


@contextmanager
def booted(machine: Machine, **told: str) -> Iterator[Guest]:
    """Boot it, and wait until both collectors serve. What `init.sh` is told, is said there."""
    says, console = machine.folder / "says", machine.folder / "console"
    with subprocess.Popen(
        command(machine, {"OPTIONS": "", "UNSAFE": "", **told}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as qemu:
        try:
            ports = forwarded(qemu)

            def serves() -> bool:
                assert qemu.poll() is None, console.read_text(errors="replace")[-SHOWN:]
                return says.read_bytes().count(b"END\n") == len(PORTS) and all(map(answers, ports.values()))

            until(serves, BOOT_SECONDS, "both collectors serve")
            yield Guest(ports, dict(zip(PORTS, exports(says.read_text()), strict=True)), qemu.kill)
        except TimeoutError as error:
            raise AssertionError(console.read_text(errors="replace")[-SHOWN:]) from error
        finally:
            qemu.kill()


def command(machine: Machine, told: dict[str, str]) -> list[str]:
    folder = machine.folder
    words = " ".join([CMDLINE, *(f"{name}={value}" for name, value in told.items())])
    forwards = ",".join(f"hostfwd=tcp:127.0.0.1:0-:{port}" for port in PORTS.values())
    return [
        *("qemu-system-x86_64", "-accel", "tcg", "-smp", "2", "-m", "512"),
        *("-display", "none", "-no-reboot", "-serial", f"file:{folder / 'console'}", "-monitor", "stdio"),
        *("-kernel", str(machine.kernel), "-initrd", str(machine.initrd), "-append", words),
        *("-drive", f"file={machine.root},format=raw,readonly=on,if=none,id=root"),
        *("-device", "virtio-blk-pci,drive=root"),
        *(word for name, disk in machine.disks.items() for word in disk.plug_in(name)),
        *("-device", "virtio-serial-pci", "-chardev", f"file,id=says,path={folder / 'says'}"),
        *("-device", "virtserialport,chardev=says"),
        *("-nic", f"user,model=virtio-net-pci,restrict=on,{forwards}"),
    ]


def forwarded(qemu: "subprocess.Popen[bytes]") -> dict[str, int]:
    """The ports of this machine that the kernel has chosen, by store."""
    assert qemu.stdin
    assert qemu.stdout
    qemu.stdin.write(b"info usernet\n")
    qemu.stdin.flush()
    found: dict[int, int] = {}
    for line in qemu.stdout:
        if forward := re.search(rb"HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+(\d+)", line):
            found[int(forward[2])] = int(forward[1])
        if len(found) == len(PORTS):
            break
    return {name: found[port] for name, port in PORTS.items()}


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BOOT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def exports(said: str) -> Iterator[list[str]]:
    """The messageIds of each export."""
    for export in said.split("END\n")[:-1]:
        yield [json.loads(line)["messageId"] for line in export.splitlines()]


def build(folder: Path) -> Machine:
    """A machine whose stores are empty."""
    boot = kernel(folder)
    initrd = make_initrd(folder / "first", folder / "kernel/lib/modules")
    make_ext4(folder / "root.img", make_root(folder / "root"))
    (folder / "contents").mkdir()
    cluster = Cluster()
    try:
        cluster.start()
        urls = {
            "sqlite": f"sqlite:///{folder}/contents/collector.db",
            "postgresql": cluster.database(),
        }
        keys = {
            name: Collector(folder, url).verb("keys", "add", "test").stdout.strip()
            for name, url in urls.items()
        }
        cluster.execute("pg_ctl", "-D", cluster.data, "-w", "stop")
        contents = {"sqlite": folder / "contents", "postgresql": cluster.folder}
        disks = {name: CutDisk(folder / name, held) for name, held in contents.items()}
    finally:
        cluster.remove()
    return Machine(folder, boot, initrd, folder / "root.img", disks, keys)
