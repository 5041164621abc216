"""A small Debian, made once in a checkout: the root of test machines, and the base of test images."""

import hashlib
import subprocess
from pathlib import Path

from tests.conftest import missing
from tests.runner.environment import locked

BUILD = Path(__file__).parents[1] / "build"
RELEASE = "bookworm"
PACKAGES = (
    *("ca-certificates", "dbus", "iproute2", "nftables", "systemd"),
    *("python3", "python3-dotenv", "python3-psutil", "python3-requests", "python3-schedule"),
)
WITHOUT = ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/lib/apt/lists", "var/cache/apt")
SECONDS = 280


def debian_root() -> Path:
    """The folder of the root; nobody is to change it."""
    version = hashlib.sha256(repr((RELEASE, PACKAGES, WITHOUT)).encode()).hexdigest()[:12]
    root = BUILD / f"debian-{version}"
    BUILD.mkdir(exist_ok=True)
    with locked(BUILD / "debian.lock"):
        if not (root / "done").exists():
            _make(root / "root")
            (root / "done").touch()
    return root / "root"


def _make(root: Path) -> None:
    subprocess.run(["rm", "-rf", root], check=True)
    root.parent.mkdir(exist_ok=True)
    empty = "; ".join(f'rm -rf "$1"/{folder}/*' for folder in WITHOUT)
    options = ["--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}", f"--customize-hook={empty}"]
    made = subprocess.run(
        ["mmdebstrap", *options, RELEASE, root], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if made.returncode != 0:
        missing("qemu-mirror", made.stderr.splitlines()[-1])
