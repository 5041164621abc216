"""A release, made as docs/releasing.md says, in another folder, at another time and with another umask."""

import json
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.install.archive import copied_sources, digest, here
from tests.install.pages import blocks_below
from tests.install.scripts import INSTALL

SBOM = INSTALL / "packaging/sbom.py"
SECONDS = 300
LONG_AGO = 1_000_000_000
pytestmark = pytest.mark.once


def blocks(heading: str) -> list[str]:
    """The blocks of commands below a heading of the page."""
    return blocks_below("releasing.md", heading)


@dataclass
class Release:
    """The folder in which one is made."""

    folder: Path
    home: Path

    def sh(self, commands: str, *, folder: str = ".", check: bool = True) -> subprocess.CompletedProcess[str]:
        local = commands.replace("install/bundle ", f"install/bundle {' '.join(here())} ")
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "-euc", local], cwd=self.folder / folder, env={"HOME": str(self.home), "PATH": path},
            check=check, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip


@pytest.mark.timeout(600)
@pytest.mark.needs("minisign", "debhelper")
def test_each_step_is_a_command_and_makes_the_same_bytes_again(packed: Path, tmp_path: Path) -> None:
    release = Release(copied_sources(tmp_path / "elsewhere"), tmp_path)
    for file in release.folder.rglob("*"):
        os.utime(file, (LONG_AGO, LONG_AGO))
        file.chmod(file.stat().st_mode & 0o770)
    (key,) = blocks("Once: the key")
    release.sh(key.replace("-G", "-GW"), folder="..")  # a throw-away key has no password
    steps = [
        "The version",
        "The archive, the wheel and the Debian package",
        "The checksums and the signature",
    ]
    release.sh("\n".join(block for step in steps for block in blocks(step)))

    dist = release.folder / "dist"
    made = {re.sub(r"[-_]0\.1\.0.*?(?=\.|$)", "", path.name) for path in dist.iterdir()}
    assert made == {"rollcall.tar.gz", "rollcall.cdx.json", "rollcall.deb", "rollcall_telemetry.whl"} | {
        "SHA256SUMS",
        "SHA256SUMS.minisig",
    }
    assert digest(dist / "rollcall-0.1.0.tar.gz") == digest(packed)
    second = copied_sources(tmp_path / "second")
    python = f"{release.folder}/build/release/bin/python"
    made_again = (
        f"{python} -m pip wheel --no-deps --wheel-dir dist .; install/packaging/deb/make-deb --output dist"
    )
    release.sh(f"export SOURCE_DATE_EPOCH=315532800; {made_again}", folder=str(second))
    wheel, package = next(dist.glob("*.whl")), next(dist.glob("*.deb"))
    for file in (wheel, package):
        assert digest(second / "dist" / file.name) == digest(file)

    public = (tmp_path / "minisign.pub").read_text().splitlines()[1]
    (check,) = blocks("Check a release")
    check = check.replace("KEY", public)
    release.sh(check, folder="dist")
    wheel.write_bytes(b"")
    assert "FAILED" in release.sh(check, folder="dist", check=False).stdout
    (dist / "SHA256SUMS").write_text(f"{digest(wheel)}  {wheel.name}\n")
    assert release.sh(check, folder="dist", check=False).returncode != 0


def test_an_sbom_lists_what_is_there_with_licences(bundle: Path) -> None:
    lists = {"sbom.cdx.json": "wheels/*.lock", "deploy/agent/sbom.cdx.json": "wheels/requirements.lock"}
    held = {f"wheels/{path.name}": digest(path) for path in (bundle / "wheels").glob("*.whl")}
    assert len(held) > 7
    for name, locks in lists.items():
        text = (bundle / name).read_text()
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
        parts = json.loads(text)["components"]
        files = {
            file["url"]: file["hashes"][0]["content"] for part in parts for file in part["externalReferences"]
        }
        locked = "".join(lock.read_text() for lock in bundle.glob(locks))
        assert files == {path: value for path, value in held.items() if value in locked}
        assert all(part["licenses"] and part["purl"].startswith("pkg:pypi/") for part in parts)
        assert ("pip" in {part["name"] for part in parts}) == (name == "sbom.cdx.json")


def test_a_wheel_without_the_text_of_its_licence_ends_the_build(tmp_path: Path) -> None:
    wheel = tmp_path / "odd-1.0-py3-none-any.whl"
    for extra, text in ((), "no licence"), (("odd-1.0.dist-info/licenses/LICENSE",), "odd"):
        with zipfile.ZipFile(wheel, "w") as made:
            made.writestr("odd-1.0.dist-info/METADATA", "Name: odd\nVersion: 1.0\nLicense: MIT\n")
            for name in extra:
                made.writestr(name, "All may use it.")
        (tmp_path / "lock").write_text(f"odd==1.0 --hash=sha256:{digest(wheel)}\n")
        command = [sys.executable, str(SBOM), "x", "1", str(tmp_path), str(tmp_path / "lock")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == bool(extra)
        assert text in done.stdout + done.stderr
