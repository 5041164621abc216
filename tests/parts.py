"""The parts of a machine that some tests need, and how to get each.

Standard library only: .ci/run asks this module for Debian's packages before anything is installed.

    python3 -m tests.parts            # what is here, and how to get what is not
    python3 -m tests.parts --packages # the packages of what is missing, one a line
"""

from __future__ import annotations

import functools
import glob
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests import bashes
from tests.wait import PATIENCE

PROBE_SECONDS = PATIENCE
NOBODY = 65534
PREFIX = "needs "


def find(*names: str) -> str | None:
    """Return the path of the first of these programs that exists, sbin included."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


def postgresql_bin() -> str | None:
    """Return the directory of the newest PostgreSQL server's programs."""
    found = [d for d in glob.glob("/usr/lib/postgresql/*/bin") if os.access(f"{d}/initdb", os.X_OK)]
    if found:
        return max(found, key=lambda d: float(d.split("/")[-2]))
    initdb = find("initdb")
    return os.path.dirname(initdb) if initdb else None


def has(*programs: str) -> Callable[[], bool]:
    """Probe for programs that must all be there."""
    return lambda: all(find(program) for program in programs)


def works(*command: str) -> bool:
    """Probe by running a harmless command."""
    program = find(command[0])
    if program is None:
        return False
    try:
        done = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def is_root() -> bool:
    return os.geteuid() == 0


def can_become_nobody() -> bool:
    if not is_root():
        return False
    try:
        subprocess.run(
            ["/bin/true"],
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            timeout=PROBE_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def can_unshare() -> bool:
    return is_root() and works("unshare", "--mount", "--net", "--pid", "--fork", "true")


def can_boot_systemd() -> bool:
    return (
        can_unshare()
        and has("systemctl", "systemd-analyze", "nsenter", "dbus-daemon", "ip")()
        and any(os.access(f"{lib}/systemd/systemd", os.X_OK) for lib in ("/lib", "/usr/lib"))
    )


def can_count_packets() -> bool:
    return can_unshare() and works("unshare", "--net", find("nft") or "nft", "list", "ruleset")


def can_mount_a_file() -> bool:
    return is_root() and works("losetup", "--find") and has("mkfs.ext4", "mount")()


def can_serve_postgresql() -> bool:
    return postgresql_bin() is not None and (not is_root() or can_become_nobody())


def can_ask_by_debconf() -> bool:
    return has("debconf")() and os.path.exists("/usr/share/debconf/confmodule")


def can_hear_of_exits() -> bool:
    """As root in the initial namespaces, where the kernel has taskstats."""
    from agent.wrapper.exits.taskstats import open_events

    try:
        open_events().close()
    except OSError:
        return False
    return True


def python39() -> str | None:
    """Return the path of a Python 3.9 that works; a shim of pyenv may only complain."""
    pyenv = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.9.*/bin/python3.9")))
    return next((path for path in [find("python3.9"), *pyenv] if path and works(path, "-c", "")), None)


@dataclass(frozen=True)
class Part:
    """Something a machine may lack: how to tell, and how to get it.

    A soft part depends on the outside world (a mirror that is down): its skip is listed, and
    `tests/run --all` does not fail for it.
    """

    probe: Callable[[], bool]
    packages: tuple[str, ...] = ()
    hint: str = ""
    soft: bool = False

    @property
    def how(self) -> str:
        install = f"apt-get install {' '.join(self.packages)}" if self.packages else ""
        return "; ".join(filter(None, [install, self.hint]))


PARTS: dict[str, Part] = {
    "root": Part(is_root, hint="run the tests as root"),
    "user": Part(can_become_nobody, hint="run as root, where setuid to nobody is allowed"),
    "unshare": Part(can_unshare, ("util-linux",), "run as root, where namespaces are allowed"),
    "systemd": Part(
        can_boot_systemd,
        ("systemd", "dbus", "iproute2", "util-linux"),
        "run as root, where namespaces are allowed",
    ),
    "nft": Part(can_count_packets, ("nftables", "iproute2"), "run as root"),
    "loop": Part(can_mount_a_file, ("e2fsprogs", "mount"), "run as root, where loop devices are allowed"),
    "strace": Part(
        lambda: works("strace", "-o", "/dev/null", "true"),
        ("strace",),
        "ptrace must be allowed",
    ),
    "certificates": Part(
        has("update-ca-certificates", "openssl"),
        ("ca-certificates", "openssl"),
        "run on Debian or a relative",
    ),
    "postgresql": Part(can_serve_postgresql, ("postgresql",)),
    "pgbouncer": Part(has("pgbouncer"), ("pgbouncer",)),
    "patroni": Part(
        lambda: can_serve_postgresql() and has("patroni", "etcd")(),
        ("patroni", "etcd-server", "postgresql"),
    ),
    "clickhouse": Part(has("clickhouse-server"), ("clickhouse-server",)),
    "zookeeper": Part(
        lambda: has("java")() and os.path.exists("/usr/share/java/zookeeper.jar"),
        ("zookeeper", "default-jre-headless"),
    ),
    "chromium": Part(lambda: find("chromium", "chromium-browser") is not None, ("chromium",)),
    "node": Part(has("node", "npm"), ("nodejs", "npm")),
    "prometheus": Part(has("prometheus"), ("prometheus",)),
    "curl": Part(has("curl"), ("curl",)),
    "git": Part(has("git"), ("git",)),
    "ansible": Part(has("ansible-playbook"), ("ansible-core",)),
    "nginx": Part(has("nginx"), ("nginx",)),
    "caddy": Part(has("caddy"), ("caddy",)),
    "bash": Part(has("bash"), ("bash",)),
    # An older and a newer one, taken from other releases of Debian's for as long as its mirror has them.
    "bashes": Part(
        bashes.one_older_and_one_newer,
        hint="python3 -m tests.bashes --get; its docstring says how to build those that no release has",
        soft=True,
    ),
    "dash": Part(has("dash"), ("dash",)),
    "busybox": Part(has("busybox"), ("busybox",)),
    "ksh": Part(has("ksh"), ("ksh",)),
    "mksh": Part(has("mksh"), ("mksh",)),
    "yash": Part(has("yash"), ("yash",)),
    "minisign": Part(has("minisign"), ("minisign",)),
    "zsh": Part(has("zsh"), ("zsh",)),
    "fish": Part(has("fish"), ("fish",)),
    "man": Part(has("man", "mandoc"), ("man-db", "mandoc")),
    # A container's kernel does not tell; see docs/wrapper.md.
    "taskstats": Part(can_hear_of_exits, hint="run as root, outside of containers", soft=True),
    "sudo": Part(lambda: is_root() and has("sudo")(), ("sudo",), "run as root"),
    "ssh": Part(has("ssh", "sshd"), ("openssh-server", "openssh-client")),
    "tmux": Part(has("tmux"), ("tmux",)),
    "dpkg": Part(has("dpkg", "dpkg-deb"), hint="run on Debian or a relative"),
    "debconf": Part(can_ask_by_debconf, hint="run on Debian or a relative"),
    "qemu": Part(
        lambda: is_root() and has("qemu-system-x86_64", "mmdebstrap", "cpio")(),
        ("qemu-system-x86", "mmdebstrap", "cpio"),
        "run as root",
    ),
    "mmdebstrap": Part(lambda: is_root() and has("mmdebstrap")(), ("mmdebstrap",), "run as root"),
    "debhelper": Part(has("dh", "dh_python3", "lintian"), ("debhelper", "dh-python", "lintian")),
    "podman": Part(
        lambda: is_root() and has("podman", "podman-compose", "crun", "iptables")(),
        ("podman", "podman-compose", "crun", "netavark", "aardvark-dns", "iptables"),
        "run as root",
    ),
    "python3.9": Part(lambda: python39() is not None, hint="pyenv install 3.9", soft=True),
    "python3.11": Part(lambda: sys.version_info >= (3, 11), hint="run the tests with it", soft=True),
    # Debian's mirror, asked at run time for the guest's root; see missing() in tests/conftest.py.
    "qemu-mirror": Part(lambda: True, hint="try again when Debian's mirror answers", soft=True),
}


@functools.cache
def here(name: str) -> bool:
    """Probe a part, once a process."""
    return PARTS[name].probe()


def named_in(reason: str) -> list[str]:
    """Return the parts that a skip's reason names; none, if somebody wrote it by hand."""
    if not reason.startswith(PREFIX):
        return []
    return reason.removeprefix(PREFIX).partition(" (")[0].split(", ")


def is_soft(reason: str) -> bool:
    lacking = named_in(reason)
    return bool(lacking) and all(PARTS[part].soft for part in lacking)


def list_of_skips(skips: Mapping[str, int]) -> list[str]:
    """Return lines that name what was skipped, how often, and how to get what it lacked."""
    lines = [f"skipped: {count} × {reason}" for reason, count in sorted(skips.items())]
    lacking = sorted({part for reason in skips for part in named_in(reason)})
    return lines + [f"to get {part}: {PARTS[part].how}" for part in lacking]


def packages_to_install() -> list[str]:
    """Return Debian's packages for the parts that are missing."""
    wanted = {package for name, part in PARTS.items() if not here(name) for package in part.packages}
    return sorted(wanted)


def main(argv: list[str]) -> int:
    if argv == ["--packages"]:
        print("\n".join(packages_to_install()))
        return 0
    for name, part in PARTS.items():
        print(f"{name:<12} {'here' if here(name) else 'missing: ' + part.how}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
