"""What install.sh advises where Python is older or missing: by distribution and release."""

import subprocess
from pathlib import Path

import pytest

from tests.install.scripts import INSTALL, SHELLS, environment, run, shell

ASK = """
. "$1/lib/python.sh"; shift
for os_release; do
    for oldest in 3.9 3.10; do how_to_get "$oldest"; echo; done
done
"""
NONE = " has no package of it: install Rollcall on a newer release, or a Python in /usr/local"
UNKNOWN = "install your system's package of python3, with its venv module"
APT = "apt-get install python3 python3-venv"
MACHINE = subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout.strip()
MODULE = f"SUSEConnect -p sle-module-python3/15.6/{MACHINE} && zypper install python311"

# os-release's ID, VERSION_ID, ID_LIKE; what brings 3.9, and what brings 3.10 for the demo
ADVICE = [
    ("debian", "10", "", NONE, NONE),
    ("debian", "11", "", APT, NONE),
    ("debian", "12", "", APT, APT),
    ("debian", "13", "", APT, APT),
    ("debian", "", "", APT, APT),
    ("raspbian", "11", "debian", APT, NONE),
    ("ubuntu", "18.04", "debian", NONE, NONE),
    ("ubuntu", "20.04", "debian", "apt-get install python3.9 python3.9-venv", NONE),
    ("ubuntu", "22.04", "debian", APT, APT),
    ("ubuntu", "24.04", "debian", APT, APT),
    ("linuxmint", "21.3", "ubuntu debian", APT, APT),
    ("rhel", "7.9", "fedora", NONE, NONE),
    ("centos", "7", "rhel fedora", NONE, NONE),
    ("rhel", "8.10", "fedora", "dnf install python3.11", "dnf install python3.11"),
    ("rocky", "8.9", "rhel centos fedora", "dnf install python3.11", "dnf install python3.11"),
    ("almalinux", "9.4", "rhel centos fedora", "dnf install python3", "dnf install python3.11"),
    ("rhel", "9.4", "fedora", "dnf install python3", "dnf install python3.11"),
    ("ol", "9.4", "fedora", "dnf install python3", "dnf install python3.11"),
    ("rhel", "10.0", "fedora", "dnf install python3", "dnf install python3"),
    ("amzn", "2", "centos rhel fedora", NONE, NONE),
    ("amzn", "2023", "fedora", "dnf install python3", "dnf install python3.11"),
    ("fedora", "41", "", "dnf install python3", "dnf install python3"),
    ("alpine", "3.13.5", "", NONE, NONE),
    ("alpine", "3.15.0", "", "apk add python3", NONE),
    ("alpine", "3.20.3", "", "apk add python3", "apk add python3"),
    ("sles", "12.5", "suse", NONE, NONE),
    ("sles", "15.6", "suse", MODULE, MODULE),
    ("opensuse-leap", "15.3", "suse opensuse", "zypper install python39", NONE),
    ("opensuse-leap", "15.6", "suse opensuse", "zypper install python311", "zypper install python311"),
    ("opensuse-tumbleweed", "20261101", "opensuse suse", "zypper install python3", "zypper install python3"),
    ("arch", "", "", "pacman -S python", "pacman -S python"),
    ("manjaro", "", "arch", "pacman -S python", "pacman -S python"),
    ("plan9", "4", "", UNKNOWN, UNKNOWN),
]


def advised(by: str, *files: Path) -> list[list[str]]:
    done = run(*shell(by), "-c", ASK, "x", INSTALL, *files, environ=environment(files[0].parent))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    return [lines[at : at + 2] for at in range(0, len(lines), 2)]


@pytest.mark.parametrize("by", [pytest.param(name, marks=pytest.mark.needs(name)) for name in SHELLS])
def test_the_advice_is_right_for_each_distribution_and_release(tmp_path: Path, by: str) -> None:
    files, wanted = [], []
    for name, release, like, *advice in ADVICE:
        files.append(tmp_path / f"{name}-{release}")
        files[-1].write_text(
            f'PRETTY_NAME="{name} {release}"\nNAME="{name}"\nID={name}\n'
            + (f'ID_LIKE="{like}"\n' if like else "")
            + (f'VERSION_ID="{release}"\n' if release else "")
        )
        wanted.append([f"{name} {release}{NONE}" if words == NONE else words for words in advice])
    assert advised(by, *files) == wanted


def test_without_an_os_release_the_advice_is_general(tmp_path: Path) -> None:
    assert advised("dash", tmp_path / "none") == [[UNKNOWN, UNKNOWN]]
