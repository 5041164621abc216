"""Which scripts are traced, and how much of them may be noticed."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from agent.wrapper.failure import trace
from agent.wrapper.process.caller import Environment
from agent.wrapper.shell.script import MAX_TEXT, ShellRun
from tests.wait import PATIENCE

ENVIRONMENT = Environment([b"PATH=/usr/bin:/bin"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["bash", "{}"], "{}"),
        (["/bin/bash", "-e", "-o", "pipefail", "--", "{}", "-x"], "{}"),
        (["bash", "-eu", "--norc", "{}"], "{}"),
        (["bash"], ""),
        (["bash", "-c", "true"], None),
        (["bash", "-x", "{}"], None),
        (["bash", "-v", "{}"], None),
        (["sh", "{}"], None),
        (["nosuch"], None),
        (["{}"], "{}"),
    ],
)
def test_a_bash_script_is_known(tmp_path: Path, words: list[str], expected: str | None) -> None:
    path = tmp_path / "install.sh"
    path.write_text("#!/usr/bin/env bash\nfalse\n")
    path.chmod(0o755)
    found = trace.choose([word.format(path).encode() for word in words], ENVIRONMENT).script
    assert found == (None if expected is None else expected.format(path).encode())


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
        assert found.failed(1, 1) is None


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


def test_an_empty_bash_env_stays_empty(tmp_path: Path) -> None:
    path = tmp_path / "install"
    path.write_text("#!/bin/bash\n")
    path.chmod(0o755)
    for given, restored in ([b"BASH_ENV="], b"    BASH_ENV=''\n"), ([], b"    unset -v BASH_ENV\n"):
        found = trace.prepare([bytes(path)], Environment([*ENVIRONMENT.entries, *given]))
        assert found is not None
        text = Path(found.environment[b"BASH_ENV"].decode()).read_bytes()
        assert restored in text
        assert text.endswith(b"\n\n")  # no file is read


def test_a_script_too_large_to_read_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "install"
    path.write_bytes(b"#!/bin/bash\n" + b"#" * MAX_TEXT)
    path.chmod(0o755)
    assert trace.prepare([bytes(path)], ENVIRONMENT) is None


AFTER_ACTING = """
import os, subprocess, sys
from agent.wrapper.failure import trace
from agent.wrapper.process.caller import Environment
os.seteuid(1234)
os.seteuid(0)
argv = [b"/bin/bash", os.fsencode(sys.argv[1])]
entries = trace.prepare(argv, Environment([b"PATH=/usr/bin:/bin"])).environment.entries
subprocess.run(argv, env=dict(entry.split(b"=", 1) for entry in entries), check=True)
"""


@pytest.mark.needs("root")
def test_bash_may_read_it_after_root_acted_as_the_states_owner(tmp_path: Path) -> None:
    """Root in a container may have no CAP_SYS_PTRACE. Else BASH_ENV would stay, and each bash complain."""
    path = tmp_path / "install.sh"
    path.write_text('echo "${BASH_ENV-none}"\nbash -c "echo inner"\n')
    bounds = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]
    command = [*bounds, sys.executable, "-I", "-c", AFTER_ACTING, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "none\ninner\n", "")


def test_a_bash_that_a_person_types_into_is_left_alone() -> None:
    """It reads no BASH_ENV: ours would be in the environment of all that the person starts."""
    kept, (master, slave) = os.dup(0), os.openpty()
    os.dup2(slave, 0)
    try:
        methods = [trace.choose(words, ENVIRONMENT).method for words in ([b"bash"], [b"bash", b"-s", b"a"])]
        assert trace.prepare([b"bash"], ENVIRONMENT) is None
    finally:
        os.dup2(kept, 0)
        for fd in (kept, master, slave):
            os.close(fd)
    assert methods == ["none", "none"]


def choice(tmp_path: Path, text: str, **files: str) -> trace.Choice:
    for name, content in {"install_sh": text, **files}.items():
        (tmp_path / name.replace("_", ".")).write_text(content)
    return trace.choose([b"bash", bytes(tmp_path / "install.sh")], ENVIRONMENT)


@pytest.mark.parametrize(
    ("text", "method"),
    [
        (
            "set -euo pipefail\ntrap 'rm x' EXIT INT\nexport A=1\ncommand -v x\nunset A\nf() { local x; }\n",
            "xtrace",
        ),
        ("echo 'set -x' # $-\ncat <<E\ntrap\nE\n", "xtrace"),
        ('[ "$DEBUG" ] && set -x\necho\n', "traps"),
        ("echo $-\n", "error"),
        ("trap -p\n", "none"),
        (". ./lib.sh\n", "xtrace"),
        ("trap 'set -x' EXIT\n", "traps"),
        ("eval 'echo $-'\n", "error"),
        ("command set -x\n", "traps"),
        ("case $(readlink /proc/$$/exe) in *sh) ;; esac\n", "xtrace"),
        ("ls /proc/$$/fd\n", "error"),
        ("ls /dev/fd/*\n", "error"),
        ("lsof -p $$\n", "error"),
        ("set\n", "none"),
        ("compgen -v\n", "none"),
        ("declare -f\n", "xtrace"),
        ("echo ${!__roll*}\n", "none"),
        ("shopt -s extdebug\n", "none"),
        ("shopt -o errexit\n", "error"),
        ("[ -o errexit ]\n", "error"),
        ("set -- x\n", "xtrace"),
        ("set -o pipefail -o xtrace\n", "traps"),
        ("command -p -- builtin set -x\n", "traps"),
        ("command -v set\n", "xtrace"),
        ("printf() { :; }\n", "none"),
        ("x &\necho $! <(y)\n", "error"),
        ('eval "$1=\\$2"\neval x=\\$$1\n', "xtrace"),
        ('GET=\'apt-get -y install\'\neval "$GET" x\neval "${GET} y"\ncat </proc/$$/fd/3\n', "xtrace"),
        ("GET='set -x'\neval \"$GET\"\n", "traps"),
        ('GET=x\nread -r GET\n(eval "$GET")\n', "error"),
        ("alias x='set -x'\n", "xtrace"),
        ("exec > >(tee log)\nsleep 1 &\nwait $!\n", "xtrace"),
        ("exec > >(tee log)\nwait $!\n", "error"),
        ("ulimit -f 9\n", "none"),
        ("ulimit 9\n", "none"),
        ("ulimit -n 9\nulimit -c unlimited\n", "xtrace"),
    ],
)
def test_the_strongest_method_that_does_not_show_is_chosen(tmp_path: Path, text: str, method: str) -> None:
    assert choice(tmp_path, text, lib_sh="true\n").method == method


def test_a_script_with_the_rights_of_two_users_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    found = choice(tmp_path, "true\n")
    assert (found.method, found.why) == ("none", "it runs with the rights of two users")


@pytest.mark.parametrize(("limit", "method"), [(64, "error"), (1024, "xtrace"), (-1, "xtrace")])
def test_with_few_open_files_there_is_no_descriptor_for_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, method: str
) -> None:
    ours = {resource.RLIMIT_NOFILE: (limit, limit), resource.RLIMIT_FSIZE: (resource.RLIM_INFINITY, -1)}
    monkeypatch.setattr(resource, "getrlimit", ours.__getitem__)
    assert choice(tmp_path, "true\n").method == method


def test_where_files_are_limited_there_is_no_file_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (4096, 4096))
    found = choice(tmp_path, "true\n")
    assert (found.method, found.why[:9]) == ("none", "files may")


def test_of_a_script_from_a_pipe_only_the_failure_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ShellRun, "text", lambda _: None)
    assert trace.choose([b"bash"], ENVIRONMENT).method == "error"


def test_what_a_script_sources_counts_too(tmp_path: Path) -> None:
    here = 'DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)\n. "$DIR/lib.sh"\n'
    for text in ('. "$(dirname "$0")/lib.sh"\n', here, '. "${BASH_SOURCE%/*}/lib.sh"\n'):
        assert choice(tmp_path, text, lib_sh="echo $-\n").method == "error", text
        assert choice(tmp_path, text, lib_sh="true\n").found == [], text
    found = choice(tmp_path, '. "$X/lib.sh"\n').found
    assert [(each.rule.name, each.line) for each in found] == [("unknown-source", 1)]


def test_the_report_stays_small(tmp_path: Path) -> None:
    (tmp_path / "install.sh").write_text("true\n")
    made = trace.prepare([b"bash", bytes(tmp_path / "install.sh")], ENVIRONMENT)
    assert made is not None
    fd = max(
        made.descriptors(),
        key=lambda fd: os.readlink(f"/proc/self/fd/{fd}").endswith("memfd:report (deleted)"),
    )
    os.write(fd, b"x")
    made.trim()
    assert os.fstat(fd).st_size == 1
    os.pwrite(fd, b"x" * (3 * trace.MAX_REPORT), 0)
    made.trim()
    assert os.fstat(fd).st_blocks * 512 <= trace.KEPT + 4096
    assert os.fstat(fd).st_size == 3 * trace.MAX_REPORT
