"""The archive: what is in it, and that it serves every Python and platform that it says it does."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.install.archive import unpacked
from tests.install.scripts import INSTALL
from tests.parts import NOBODY

PACKAGING = INSTALL / "packaging"
AT_MOST = 6 * 1024 * 1024
LIB = PACKAGING / "platforms.sh"


def listed(name: str) -> list[str]:
    """A list of the shell's."""
    done = subprocess.run(["sh", "-c", f". {LIB}; echo ${name}"], capture_output=True, text=True, check=True)
    return done.stdout.split()


def target(platform: str, python: str) -> list[str]:
    command = ["sh", "-c", f'. {LIB}; pip_target "$@"', "sh", platform, python]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def locked(python: str) -> str:
    """Which of the archive's locks is for this Python."""
    command = ["sh", "-c", '. "$0/lib/python.sh"; lock_for "$1" requirements', str(INSTALL), python]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_it_belongs_to_root_and_others_may_only_read_it_whoever_made_it(tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    for name, mode in (("file", 0o666), ("private", 0o600), ("script", 0o770)):
        (stage / name).parent.mkdir(mode=0o700, exist_ok=True)
        (stage / name).touch()
        (stage / name).chmod(mode)
        os.chown(stage / name, *((NOBODY, NOBODY) if os.geteuid() == 0 else (-1, -1)))
    subprocess.run([sys.executable, PACKAGING / "archive.py", stage, tmp_path / "made.tar.gz"], check=True)
    with tarfile.open(tmp_path / "made.tar.gz") as archive:
        members = {member.name: member for member in archive.getmembers()}
    assert {(member.uid, member.gid, member.uname) for member in members.values()} == {(0, 0, "root")}
    modes = {name: oct(member.mode) for name, member in members.items()}
    assert modes == {
        "stage": "0o755",
        "stage/file": "0o644",
        "stage/private": "0o644",
        "stage/script": "0o755",
    }


def test_it_holds_what_an_install_needs_and_nothing_else(bundle: Path) -> None:
    assert names(bundle) == {
        "LICENSE",
        "SHA256SUMS",
        "deploy",
        "docker.env.example",
        "docs",
        "install",
        "sbom.cdx.json",
        "systemd",
        "wheels",
    }
    assert names(bundle / "deploy") == {"agent", "compose.yaml", "kubernetes"}
    assert names(bundle / "deploy/kubernetes") == {"agent"}
    scripts = {"bootstrap.sh", "install.sh", "launcher.sh", "uninstall.sh"}
    assert names(bundle / "install") == {"example", "lib", *scripts}
    assert names(bundle / "install/lib") == {path.name for path in (INSTALL / "lib").glob("*.*")}
    assert {"rollcall.service", "rollcall-user.service", "render"} <= names(bundle / "systemd")
    assert {"requirements.lock", "pip.lock"} <= names(bundle / "wheels")
    assert names(bundle / "docs/man") == {"docker.env.5", "rollcall.1"}
    assert names(bundle / "docs/completions") == {"rollcall.bash", "_rollcall", "rollcall.fish"}


def test_the_agents_wheel_has_no_command_of_the_collector(bundle: Path) -> None:
    wheel = zipfile.ZipFile(next((bundle / "wheels").glob("rollcall_telemetry-*.whl")))
    folders = {name.partition("/")[0] for name in wheel.namelist()}
    assert {folder for folder in folders if not folder.endswith((".dist-info", ".data"))} == {"agent"}
    assert not [name for name in wheel.namelist() if "collector" in name]
    (entries,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    assert wheel.read(entries).decode().split() == [
        "[console_scripts]",
        "rollcall",
        "=",
        "agent.__main__:main",
    ]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_its_pages_link_to_nothing_that_is_not_in_it(bundle: Path) -> None:
    links = [
        page.parent / link
        for page in (bundle / "docs").glob("*.md")
        for link in re.findall(r"\]\(([^)#]+)", page.read_text())
        if "://" not in link
    ]
    assert len(links) > 3
    assert [link for link in links if not link.exists()] == []


def test_wrong_use_of_it_is_one_line(tmp_path: Path) -> None:
    for words in (["--platform", "vax-bsd"], ["--python", "2.7"], ["--output"], ["x", "y"]):
        done = subprocess.run(
            [INSTALL / "bundle", *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert len(done.stderr.splitlines()) == 1


def test_its_help_names_every_choice() -> None:
    for word in ("--help", "-h"):
        done = subprocess.run([INSTALL / "bundle", word], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        for choice in ("--output", "--platform", "x86_64-glibc", "--python", "3.9"):
            assert choice in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_one_archive_serves_them_all(tmp_path: Path) -> None:
    file = tmp_path / "all.tar.gz"
    subprocess.run([INSTALL / "bundle", "--output", file], check=True)
    assert file.stat().st_size <= AT_MOST
    wheels = unpacked(file) / "wheels"
    for platform in listed("PLATFORMS"):
        for python in listed("PYTHONS"):
            command = [
                sys.executable,
                "-m",
                "pip",
                "--isolated",
                "download",
                "--quiet",
                "--no-index",
                "--no-deps",
            ]
            command += ["--only-binary", ":all:", "--require-hashes", "--find-links", str(wheels)]
            command += ["--requirement", str(wheels / locked(python)), "--dest", str(tmp_path / "got")]
            done = subprocess.run([*command, *target(platform, python)], check=False)
            assert done.returncode == 0, (platform, python)


def test_the_collectors_lock_holds_all_that_it_asks_for_once() -> None:
    project = (INSTALL.parent / "pyproject.toml").read_text()
    extra = project.partition("\ncollector = [\n")[2].partition("\n]")[0]
    asked = set(re.findall(r'^ +"([a-z0-9-]+)', extra, re.MULTILINE))
    locked = re.findall(r"^([a-z0-9-]+)==", (PACKAGING / "collector.lock").read_text(), re.MULTILINE)
    assert "psycopg" in asked
    assert asked - set(locked) == set()
    assert len(locked) == len(set(locked))
