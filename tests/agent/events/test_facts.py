from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.events import facts
from agent.events.facts import System

TESTDATA = Path(__file__).parent / "testdata"
MACHINE = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("root", "system", "machine"),
    [
        ("good", System("debian", "12"), MACHINE),
        ("garbage", System("unknown", "unknown"), None),
        ("empty", System("unknown", "unknown"), None),
        ("missing", System("unknown", "unknown"), None),
    ],
)
def test_facts_are_as_the_files_say_or_unknown(root: str, system: System, machine: str | None) -> None:
    assert facts.system(str(TESTDATA / root)) == system
    assert facts.machine_id({}, str(TESTDATA / root)) == machine


def a_root(tmp_path: Path, **files: str) -> str:
    for name, text in {"etc/machine-id": MACHINE + "\n", **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return str(tmp_path)


def test_os_release_below_usr_is_read_where_etc_has_none(tmp_path: Path) -> None:
    root = a_root(tmp_path, **{"usr/lib/os-release": "ID='alpine'\n  VERSION_ID=3.20\n"})
    assert facts.system(root) == System("alpine", "3.20")
    a_root(tmp_path, **{"etc/os-release": "ID=arch\n"})
    assert facts.system(root) == System("arch", "unknown")


@pytest.mark.parametrize("value", ["Ubuntu", "host name", "a/b", "x" * 33, "", "é", "-x", "a\x1b[2J"])
def test_what_os_release_does_not_promise_is_not_passed_on(tmp_path: Path, value: str) -> None:
    root = a_root(tmp_path, **{"etc/os-release": f'ID="{value}"\nVERSION_ID="{value}"\n'})
    assert facts.system(root) == System("unknown", "unknown")


@pytest.mark.parametrize("text", ["", "uninitialized\n", "0" * 31, "G" * 32, MACHINE + " " + MACHINE])
def test_an_empty_or_odd_machine_id_is_no_verdict(tmp_path: Path, text: str) -> None:
    assert facts.machine_id({}, a_root(tmp_path, **{"etc/machine-id": text})) is None


@pytest.mark.parametrize("mark", [".dockerenv", "run/.containerenv", "run/systemd/container"])
def test_a_container_is_no_verdict(tmp_path: Path, mark: str) -> None:
    root = a_root(tmp_path)
    assert facts.machine_id({}, root) == MACHINE
    a_root(tmp_path, **{mark: ""})
    assert facts.machine_id({}, root) is None


@pytest.mark.parametrize("name", ["container", "KUBERNETES_SERVICE_HOST"])
def test_a_container_that_says_so_is_no_verdict(tmp_path: Path, name: str) -> None:
    assert facts.machine_id({name: "x"}, a_root(tmp_path)) is None
    assert facts.machine_id({name: ""}, a_root(tmp_path)) == MACHINE


def test_a_machine_id_that_is_a_mount_of_its_own_is_no_verdict(tmp_path: Path) -> None:
    others = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 8:1 / /etc/machine-id-x rw - ext4 x rw\n"
    root = a_root(tmp_path, **{"proc/self/mountinfo": others})
    assert facts.machine_id({}, root) == MACHINE
    own = others + "99 22 0:20 /machine-id /etc/machine-id ro - tmpfs tmpfs rw\n"
    a_root(tmp_path, **{"proc/self/mountinfo": own})
    assert facts.machine_id({}, root) is None


def test_a_fact_that_is_a_directory_is_unknown(tmp_path: Path) -> None:
    os.makedirs(tmp_path / "etc/os-release")
    os.makedirs(tmp_path / "etc/machine-id")
    assert facts.system(str(tmp_path)) == System("unknown", "unknown")
    assert facts.machine_id({}, str(tmp_path)) is None
