"""The archive that a vendor ships, made once a test run, and variants of it."""

import atexit
import base64
import fcntl
import hashlib
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from tests.install.scripts import CHECKOUT, INSTALL

BUNDLE_SECONDS = 240
VERSIONS = ("3.10", "3.11", "3.12", "3.13")


def here() -> list[str]:
    """The bundle's options for this machine alone: its Python and the system's."""
    libc = "glibc" if platform.libc_ver()[0] == "glibc" else "musl"
    versions = {f"{sys.version_info[0]}.{sys.version_info[1]}", systems_python()}
    words = ["--platform", f"{platform.machine()}-{libc}"]
    return [*words, *(word for version in sorted(versions) for word in ("--python", version))]


def copied_sources(folder: Path) -> Path:
    """A copy of what a release is made from."""
    skipped = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "tests", "node_modules")
    return shutil.copytree(CHECKOUT, folder, ignore=skipped)


def systems_python() -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    found = subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.stdout.strip() in VERSIONS else "3.11"


def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive's file; the workers of one run share it."""
    folder = tmp_path_factory.getbasetemp()
    if folder.name.startswith("popen-"):
        folder = folder.parent
    file = folder / "rollcall.tar.gz"
    with (folder / "rollcall.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            half = file.with_suffix(".half")
            subprocess.run(
                [str(INSTALL / "bundle"), *here(), "--output", str(half)], check=True, timeout=BUNDLE_SECONDS
            )
            half.rename(file)
    return file


def unpacked(archive: Path) -> Path:
    """A copy of its contents that every user may read, in a directory of its own."""
    place = Path(tempfile.mkdtemp(prefix="rollcall-archive-"))
    place.chmod(0o755)
    with tarfile.open(archive) as file:
        file.extractall(place, filter="data") if sys.version_info >= (3, 12) else file.extractall(place)
    return next(place.iterdir())


def changed(bundle: Path, name: str, text: str) -> Path:
    """A copy of an unpacked archive in which one file of the agent's wheel reads otherwise."""
    copy = Path(tempfile.mkdtemp(prefix="rollcall-changed-")) / bundle.name
    atexit.register(shutil.rmtree, copy.parent, ignore_errors=True)
    copy.parent.chmod(0o755)
    shutil.copytree(bundle, copy)
    wheel = next((copy / "wheels").glob("rollcall_telemetry-*.whl"))
    before = digest(wheel)
    with zipfile.ZipFile(wheel) as old:
        members = {info.filename: old.read(info) for info in old.infolist()}
    members[name] = text.encode()
    record = next(member for member in members if member.endswith("/RECORD"))
    lines = [line for line in members[record].decode().splitlines() if not line.startswith(f"{name},")]
    hashed = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    members[record] = "\n".join([*lines, f"{name},sha256={hashed},{len(text)}", ""]).encode()
    with zipfile.ZipFile(wheel, "w") as new:
        for member, data in members.items():
            new.writestr(member, data)
    lock = copy / "wheels/requirements.lock"
    lock.write_text(lock.read_text().replace(before, digest(wheel)))
    return summed(copy)


def summed(place: Path) -> Path:
    """An unpacked archive whose checksums are those of its files, as if it had been packed so."""
    sums = place / "SHA256SUMS"
    names = [line.split("  ")[1] for line in sums.read_text().splitlines()]
    sums.write_text("".join(f"{digest(place / name)}  {name}\n" for name in names))
    return place


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
