"""A virtual machine whose time passes as fast as it is idle: 25 hours in two minutes.

QEMU counts instructions for its clock and skips over idle time. Kernel and root are Debian's own
packages, extracted and not installed, so no maintainer script runs; the root is an initramfs.
"""

import json
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.conftest import missing
from tests.e2e.product import UNITS, environment, render
from tests.wait import until

PACKAGES = (
    "systemd,systemd-sysv,python3,coreutils,bash,dash,util-linux,mount,base-files,base-passwd,libnss-systemd"
)
MERGED = 'for d in bin sbin lib lib64; do mkdir -p "$1/usr/$d"; ln -s usr/$d "$1/$d"; done'
USELESS = ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/lib/udev/hwdb.d", "usr/share/perl"]
TRIES = 3
MIRROR_SECONDS = 240
DAY_SECONDS = 1200.0  # it only ends a hang: a busy machine takes many times as long
OBSERVER = """[Unit]
After=multi-user.target
[Service]
StandardOutput=null
ExecStart=/opt/rollcall/bin/python /observer.py '{plan}'
[Install]
WantedBy=multi-user.target
"""


def build(place: Path, sources: Path | None = None) -> tuple[Path, Path]:
    """A kernel, and a root with everything but the observer's plan."""
    root = place / "root"
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    sources = sources or next(p for p in SOURCES if p.exists())
    command = ["mmdebstrap", "--mode=root", "--variant=extract", f"--setup-hook={MERGED}"]
    command += ["--aptopt=Apt::Install-Recommends false", "--aptopt=Acquire::Retries 1"]
    command += [f"--include={PACKAGES}"]
    fetch([*command, suite, str(root), str(sources)], place)
    for useless in USELESS:
        shutil.rmtree(root / useless, ignore_errors=True)
    for file in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{file}.master", root / f"etc/{file}")
    install(root)
    return kernel(place), root


CMDLINE = (
    "console=ttyS0 quiet panic=-1 rdinit=/lib/systemd/systemd"
    " systemd.firstboot=no systemd.mask=getty.target systemd.show_status=no"
    # What wakes an idle kernel costs real time here: clock watchdogs, statistics, write-back.
    " tsc=reliable nowatchdog mitigations=off audit=0"
    " sysctl.vm.stat_interval=7200 sysctl.vm.dirty_writeback_centisecs=0"
)
SOURCES = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))


def fetch(command: list[str], place: Path, seconds: float = MIRROR_SECONDS) -> None:
    """Run what needs Debian's mirror, a few times; the test is skipped if it never answers."""
    why = ""
    for _ in range(TRIES):
        try:
            done = subprocess.run(
                command, cwd=place, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            why = f"{command[0]} took more than {seconds:g} s"
        else:
            if done.returncode == 0:
                return
            why = done.stderr.strip().rpartition("\n")[2]
        shutil.rmtree(place / "root", ignore_errors=True)
    missing("qemu-mirror", why)


def kernel(place: Path) -> Path:
    """Debian's kernel for virtual machines, out of its package."""
    shown = subprocess.run(
        ["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True, check=True
    )
    package = shown.stdout.split("Depends: ")[1].split()[0]
    fetch(["apt-get", "download", package], place)
    subprocess.run(["dpkg-deb", "-x", next(place.glob("*.deb")), place / "kernel"], check=True)
    return next(place.glob("kernel/boot/vmlinuz-*"))


def install(root: Path) -> None:
    """The product and the observer, as they would be on a server."""
    shutil.copytree(environment(), root / "opt/rollcall", symlinks=True)
    for source, target in UNITS.items():
        file = root / target.format("rollcall").lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(render(source, "rollcall", "/opt/rollcall/bin/python"))
    settings = root / "etc/rollcall/docker.env"
    settings.parent.mkdir()
    settings.touch(0o600)
    (root / "etc/machine-id").touch()
    shutil.copy(Path(__file__).with_name("guest") / "observer.py", root / "observer.py")
    subprocess.run(["systemd-sysusers", f"--root={root}"], check=True, capture_output=True)
    units = root / "etc/systemd/system"
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    for unit in ("rollcall.service", "rollcall-env.path", "observer.service"):
        (wants / unit).symlink_to(units / unit)


def pack(root: Path) -> Path:
    """The tree as an initramfs, beside it."""
    archive = root.with_name("initrd")
    with archive.open("wb") as file:
        names = subprocess.run(["find", ".", "-print0"], cwd=root, capture_output=True, check=True).stdout
        subprocess.run(
            ["cpio", "--null", "-o", "-H", "newc", "--quiet"], cwd=root, input=names, stdout=file, check=True
        )
    return archive


def day(kernel: Path, root: Path, plan: list[tuple[float, float]]) -> dict[str, Any]:
    """Run one virtual day; what the observer saw."""
    (root / "etc/systemd/system/observer.service").write_text(OBSERVER.format(plan=json.dumps(plan)))
    archive = pack(root)
    console = root.with_name("console")
    command = ["qemu-system-x86_64", "-accel", "tcg", "-icount", "shift=0,sleep=off", "-m", "1024"]
    command += ["-rtc", "clock=vm", "-nic", "none", "-display", "none", "-no-reboot"]
    command += ["-serial", f"file:{console}", "-kernel", str(kernel), "-initrd", str(archive), "-append"]
    command += [CMDLINE]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as machine:
        try:
            until(lambda: machine.poll() is not None, DAY_SECONDS, "the virtual day is over")
        finally:
            machine.kill()
    lines = console.read_text(errors="replace").splitlines()
    report = [line for line in lines if line.startswith("REPORT ")]
    assert report, "\n".join(lines[-40:])
    found: dict[str, Any] = json.loads(report[0].removeprefix("REPORT "))
    return found
