"""Other versions of bash, for what must hold with each of them.

    python3 -m tests.bashes         # which are here
    python3 -m tests.bashes --get   # get from Debian's mirror what it has

Each is a file `bash` in a folder of .bashes that bears its version: .bashes/5.1/bash. A Debian release
ships one version, but a package of another release runs here too, a newer one if it is static. apt-get
downloads it with lists of its own, and nothing is installed. Versions that no release ships any longer
are built from the archives of GNU's project:

    CFLAGS='-O2 -w -std=gnu89' ./configure --without-bash-malloc --disable-nls && make
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parents[1] / ".bashes"
RELEASES = {"5.1": ("bullseye", "bash"), "5.3": ("sid", "bash-static")}
VERSIONS = ("4.4", "5.0", *RELEASES)
SECONDS = 120


def find(version: str) -> str | None:
    """The path of this bash, if it is here and of that version."""
    path = FOLDER / version / "bash"
    return str(path) if path.exists() and version_of(path) == version else None


def version_of(path: Path) -> str:
    asked = [str(path), "-c", "echo ${BASH_VERSINFO[0]}.${BASH_VERSINFO[1]}"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def one_older_and_one_newer() -> bool:
    return all(find(version) for version in RELEASES)


def get(version: str, mirror: str) -> None:
    """Take the package of the release that has this version."""
    release, package = RELEASES[version]
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "sources").write_text(f"deb {mirror} {release} main\n")
        for folder in ("lists/partial", "cache/archives/partial"):
            (Path(place) / folder).mkdir(parents=True)
        apt = [
            "apt-get",
            "-qq",
            "-o",
            f"Dir::Etc::SourceList={place}/sources",
            "-o",
            "Dir::Etc::SourceParts=-",
        ]
        apt += ["-o", f"Dir::State::Lists={place}/lists", "-o", f"Dir::Cache={place}/cache"]
        apt += ["-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root"]
        run([*apt, "update"], place)
        run([*apt, "download", f"{package}/{release}"], place)
        (archive,) = Path(place).glob("*.deb")
        run(["dpkg-deb", "-x", str(archive), "tree"], place)
        (program,) = Path(place).glob(f"tree/**/bin/{package}")
        (FOLDER / version).mkdir(parents=True, exist_ok=True)
        shutil.copy2(program, FOLDER / version / "bash")


def run(command: Sequence[str], cwd: str) -> None:
    subprocess.run(command, cwd=cwd, timeout=SECONDS, check=True)


def mirror() -> str:
    """The first address that apt-get uses on this machine for Debian's own packages."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Created-By: Packages"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=SECONDS).stdout.split()
    return next((uri for uri in found if "security" not in uri), "")


def main(argv: Sequence[str]) -> int:
    for version in RELEASES if argv == ["--get"] else ():
        if not find(version):
            get(version, mirror())
    for version in VERSIONS:
        print(f"{version:<5} {find(version) or 'missing'}")
    return 0 if one_older_and_one_newer() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
