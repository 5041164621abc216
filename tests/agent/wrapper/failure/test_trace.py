"""Which scripts are traced, and how much of them may be noticed."""

from pathlib import Path

import pytest

from agent.wrapper.failure import trace
from agent.wrapper.process.caller import Environment

ENVIRONMENT = Environment([b"PATH=/usr/bin:/bin"])


@pytest.mark.parametrize(
    ("words", "script"),
    [
        (["bash", "{}"], "{}"),
        (["/bin/bash", "-e", "-o", "pipefail", "--", "{}", "-x"], "{}"),
        (["bash", "-eu", "--norc", "{}"], "{}"),
        (["bash"], ""),
        (["bash", "-s", "--", "x"], ""),
        (["bash", "-"], ""),
        (["bash", "-c", "true"], None),
        (["bash", "-x", "{}"], None),
        (["bash", "+e", "{}"], "{}"),
        (["bash", "-o", "posix", "{}"], None),
        (["bash", "-eo"], None),
        (["bash", "/nosuch"], None),
        (["bash", "", "x"], ""),
        (["sh", "{}"], None),
        (["nosuch"], None),
        (["{}"], "{}"),
    ],
)
def test_a_bash_script_is_known(tmp_path: Path, words: list[str], script: str | None) -> None:
    path = tmp_path / "install.sh"
    path.write_text("#!/usr/bin/env bash\nfalse\n")
    path.chmod(0o755)
    found = trace.script_of([word.format(path).encode() for word in words], ENVIRONMENT)
    assert found == (None if script is None else script.format(path).encode())


@pytest.mark.parametrize(
    ("first", "traced"),
    [
        ("#!/bin/bash", True),
        ("#!/bin/bash -e", True),
        ("#!/bin/bash -x", False),
        ("#!/usr/bin/env -S bash", False),
        ("#!/bin/sh", False),
        ("", False),
    ],
)
def test_the_first_line_tells(tmp_path: Path, first: str, traced: bool) -> None:
    path = tmp_path / "install"
    path.write_text(f"{first}\nfalse\n")
    path.chmod(0o755)
    found = trace.prepare([bytes(path)], ENVIRONMENT)
    assert (found is not None) is traced
    if found:
        value = found.environment[b"BASH_ENV"]
        assert b"trap" in Path(value.decode()).read_bytes()
        assert len(found.descriptors()) == 2
        assert found.failed(1) is None


@pytest.mark.parametrize(
    "entry",
    [b"SHELLOPTS=x", b"BASH_XTRACEFD=5", b"BASH_ENV=/nosuch", b"BASH_ENV=$HOME/x", b"POSIXLY_CORRECT="],
)
def test_an_environment_that_would_show_it_leaves_it_off(tmp_path: Path, entry: bytes) -> None:
    path = tmp_path / "install"
    path.write_text("#!/bin/bash\n")
    path.chmod(0o755)
    assert trace.prepare([bytes(path)], Environment([*ENVIRONMENT.entries, entry])) is None


def test_the_users_own_bash_env_is_put_back(tmp_path: Path) -> None:
    path, own = tmp_path / "install", tmp_path / "it's own"
    path.write_text("#!/bin/bash\n")
    path.chmod(0o755)
    plain = tmp_path / "own"
    own.write_text("")
    plain.write_text("")
    assert trace.prepare([bytes(path)], Environment([b"BASH_ENV=" + bytes(own)])) is None
    found = trace.prepare([bytes(path)], Environment([b"BASH_ENV=" + bytes(plain)]))
    assert found is not None
    text = Path(found.environment[b"BASH_ENV"].decode()).read_bytes()
    assert b"BASH_ENV='" + bytes(plain) + b"'" in text
    assert text.endswith(b". '" + bytes(plain) + b"'\n")


def test_a_script_too_large_to_read_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "install"
    path.write_bytes(b"#!/bin/bash\n" + b"#" * trace.MAX_TEXT)
    path.chmod(0o755)
    assert trace.prepare([bytes(path)], ENVIRONMENT) is None


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("trap -p", True),
        ("x=$(trap)", True),
        ("set", True),
        ("set | grep x", True),
        ("set -v", True),
        ("set -eT", True),
        ("declare -p", True),
        ("export -p", True),
        ("echo $BASH_ENV", True),
        ("set -euo pipefail", False),
        ("trap 'rm x' EXIT", False),
    ],
)
def test_what_a_script_might_look_at(line: str, shown: bool) -> None:
    assert trace.shows(line.encode() + b"\n") is shown


@pytest.mark.parametrize(
    ("line", "noticed"),
    [
        ("set -e", False),
        ("set -euo pipefail; false", False),
        ("die() { exit 1; }", False),
        ("trap x EXIT", True),
        ("eval x", True),
        (". ./lib", True),
        ("echo ${FUNCNAME[0]}", True),
        ("set -E", True),
        ("echo $-", True),
        ("exit() { :; }", True),
    ],
)
def test_what_a_script_might_notice(line: str, noticed: bool) -> None:
    assert trace.notices(line.encode() + b"\n") is noticed
