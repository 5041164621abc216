"""A machine with podman on it, our two images, and a collector that runs from one of them."""

import contextlib
import json
import platform
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.debian import debian_root
from tests.e2e.machine import Machine, booted
from tests.install.archive import copied_sources
from tests.install.pages import blocks_below
from tests.wait import until

REGISTRY = "registry.acme.example"
AGENT = f"{REGISTRY}/rollcall-agent:0.1.0"
COLLECTOR = f"{REGISTRY}/rollcall-collector:0.1.0"
PRODUCT = f"{REGISTRY}/board:1.4.2"
BASE = "localhost/base"
ENDPOINT = "http://192.0.2.2:8787"
SERVES = 'CMD ["python3", "-m", "http.server", "8080"]'
ENDS = "STOPSIGNAL SIGKILL"
IMAGES = "/var/tmp/images"
ISOLATED = f"--layers=false --isolation=chroot --quiet --build-arg=BASE={BASE}"
EPOCH = 315532800
BUILD_SECONDS = 120.0
CONTEXT_SECONDS = 240.0

# Overlays do not lie on overlays, and this machine may not be allowed to raise limits.
SETUP = """
ip link add wan type veth peer name far
ip addr add 192.0.2.2/24 dev wan
ip link set wan up
ip link set far up
mkdir -p /var/lib/containers /etc/containers /var/tmp/images
mount -t tmpfs images /var/lib/containers
rm -rf /etc/cni
cat >/etc/containers/storage.conf <<END
[storage]
driver = "overlay"
graphroot = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
END
cat >/etc/containers/containers.conf <<END
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
END
"""


class Host:
    """The machine; every command runs in it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.key = ""
        self.first_layers = ""

    def podman(self, *words: str, check: bool = True, timeout: float = BUILD_SECONDS) -> str:
        return self.machine.run("podman", *words, check=check, timeout=timeout)

    def inspect(self, container: str, what: str) -> str:
        return self.podman("inspect", "--format", "{{" + what + "}}", container)

    def said(self, container: str, *words: str) -> str:
        """What a command in a container prints on its standard output alone."""
        return self.machine.run("sh", "-c", f"podman exec {container} {shlex.join(words)} 2>/dev/null")

    def status(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.said(container, "rollcall", "status", "--json"))
        return found

    def log(self, container: str) -> list[dict[str, Any]]:
        said = self.said(container, "rollcall", "log", "--json")
        return [json.loads(line)["event"] for line in said.splitlines()]

    def arrived(self) -> list[dict[str, Any]]:
        """What the collector was sent."""
        said = self.said("collector", "rollcall-collector", "export", "-")
        return [json.loads(line) for line in said.splitlines()]

    def layers(self, image: str) -> str:
        """The digests of an image's layers."""
        return self.inspect(image, "json .RootFS.Layers")

    def start_collector(self) -> None:
        """In one command, with the database that it brings."""
        self.podman("run", "-d", "--name", "collector", "-p", "8787:8787", COLLECTOR)
        until(lambda: self.podman("healthcheck", "run", "collector", check=False) == "", why="it is healthy")
        self.key = self.said("collector", "rollcall-collector", "keys", "add", "test")


@contextlib.contextmanager
def ready_host(packed: Path, scratch: Path) -> Iterator[Host]:
    """Boot it, and build both images as the Containerfiles say, from a Debian that has a pip."""
    with booted() as machine:
        host = Host(machine)
        machine.run("sh", "-euc", SETUP)
        folder = machine.path(IMAGES)
        import_base(host, folder / "base.tar")
        build = gathered(packed, copied_sources(scratch / "release"))
        for part in ("deploy", "dist"):
            shutil.copytree(scratch / "release" / part, folder / part)
        settings = f"cd {IMAGES}; version=0.1.0 SOURCE_DATE_EPOCH={EPOCH}"
        build = build.replace("podman build", f"podman build {ISOLATED}")
        machine.run("sh", "-euc", f"{settings}\n{build}", timeout=2 * BUILD_SECONDS)
        host.first_layers = host.layers(AGENT)
        host.start_collector()
        yield host


def gathered(packed: Path, sources: Path) -> str:
    """Put together what the images are built from, as the docs say; returns the commands that build them."""
    gather, build = blocks_below("releasing.md", "The images")
    (sources / "dist").mkdir()
    shutil.copy(packed, sources / "dist/rollcall-0.1.0.tar.gz")
    context = "deploy/collector/context"
    gather = gather.replace(context, " ".join([context, *collector_platform()]))
    subprocess.run(
        ["sh", "-euc", f"version=0.1.0\n{gather}"],
        cwd=sources,
        check=True,
        timeout=CONTEXT_SECONDS,
        capture_output=True,
    )
    return build


def collector_platform() -> list[str]:
    """The base's Python is Debian's, whatever runs these tests."""
    return ["--platform", f"{platform.machine()}-glibc", "--python", "3.11"]


def import_base(host: Host, file: Path) -> None:
    """A stand-in for the official image: Debian's Python, and a pip where that image has its own."""
    subprocess.run(["tar", "-C", debian_root(), "-cf", file, "."], check=True)
    host.podman("import", "--quiet", f"{IMAGES}/base.tar", f"{BASE}-bare")
    host.podman("import", "--quiet", "--change", SERVES, "--change", ENDS, f"{IMAGES}/base.tar", PRODUCT)
    file.unlink()
    pip = "/usr/local/lib/python3.11/site-packages/pip"
    host.podman(
        "run", "--name", "base", f"{BASE}-bare", "sh", "-c", f"mkdir -p {pip} && touch {pip}/__init__.py"
    )
    host.podman("commit", "--quiet", "base", BASE)
    host.podman("rm", "base")
