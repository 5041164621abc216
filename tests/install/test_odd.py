"""Odd circumstances, and strangers with bad intentions: COMMAND runs, and nothing else of theirs."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config.settings import default_state_dir
from tests.install.homes import Home
from tests.install.scripts import (
    AS_NOBODY,
    INSTALL,
    OFFLINE,
    environment,
    home_of_nobody,
    run,
    shell,
    small_tools,
)
from tests.leftovers import remove
from tests.parts import NOBODY

COMMAND = ["sh", "-c", "echo the product; exit 6"]
pytestmark = pytest.mark.needs("user", "unshare")


@pytest.fixture
def home(bundle: Path) -> Iterator[Home]:
    found = Home(bundle, home_of_nobody())
    yield found
    remove(found.path)


def planted(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    for place in (path, *path.parents):
        if place.stat().st_uid == 0 and str(place).startswith("/tmp/rollcall-home-"):
            os.chown(place, NOBODY, NOBODY)
    return path


@pytest.mark.parametrize("by", ["sh", "bash"])
def test_from_a_pipe_nothing_of_the_current_folder_is_run(home: Home, by: str) -> None:
    planted(home.path / "lib/names.sh", "echo a stranger; exit 9\n")
    script = (INSTALL / "install.sh").read_text()
    piped = run(*AS_NOBODY, by, "-s", "--", "--", *COMMAND, environ=home.environ, typed=script)
    given = run(*AS_NOBODY, by, "-c", script, by, "--", *COMMAND, environ=home.environ)
    for done in (piped, given):
        assert (done.returncode, done.stdout) == (6, "the product\n")
        assert "is not beside install.sh, so nothing is installed" in done.stderr


def test_a_folder_that_cd_would_rather_go_to_is_not_gone_to(home: Home) -> None:
    stranger = planted(home.path / "stranger/install/lib/names.sh", "echo a stranger; exit 9\n").parents[2]
    environ = {**home.environ, "CDPATH": str(stranger)}
    for script in ("uninstall.sh", "bundle"):
        command = ["sh", f"install/{script}", "--help"]
        done = subprocess.run(
            command, cwd=INSTALL.parent, env=environ, capture_output=True, text=True, check=False
        )
        assert "usage" in done.stdout + done.stderr
        assert "stranger" not in done.stdout + done.stderr


def test_a_docker_env_that_others_may_write_is_not_pointed_at(home: Home) -> None:
    theirs = planted(home.path / "shared/acme.env", "ROLLCALL_ENDPOINT=http://127.0.0.1:9\n")
    theirs.chmod(0o666)
    done = run(*home.installing("--env-file", str(theirs), "--", *COMMAND), environ=home.environ)
    assert (done.returncode, done.stdout) == (6, "the product\n")
    assert f"{theirs} can be changed by other users" in done.stderr
    assert not home.root.exists()
    theirs.chmod(0o644)
    os.chown(theirs, 1, 1)
    done = run(*home.installing("--env-file", str(theirs)), environ=home.environ)
    assert "can be changed by other users" in done.stderr
    os.chown(theirs, NOBODY, NOBODY)
    done = run(*home.installing("--env-file", str(theirs)), environ=home.environ)
    assert done.returncode == 0, done.stderr
    home.works()


def test_another_programs_command_is_left_alone(home: Home) -> None:
    planted(home.command, "#!/bin/sh\necho somebody else\n")
    done = run(*home.installing("--", *COMMAND), environ=home.environ)
    assert (done.returncode, done.stdout) == (6, "the product\n")
    assert f"{home.command} already exists and is another program: use another --product" in done.stderr
    assert "somebody else" in home.command.read_text()
    assert not home.root.exists()


@pytest.mark.parametrize("odd", ["of Jörg & Co", "a'b", 'a"b', "a$(id)b", "a`id`b", "100%", "a\nb", "a\\b"])
def test_a_home_that_could_not_be_written_down_is_named(home: Home, odd: str) -> None:
    home.path /= odd
    home.path.mkdir()
    os.chown(home.path, NOBODY, NOBODY)
    done = run(*home.installing("--", *COMMAND), environ=home.environ)
    home.path = home.path.parent
    assert (done.returncode, done.stdout) == (6, "the product\n")
    assert "contains characters that would need escaping" in done.stderr


@pytest.mark.parametrize(
    "other", [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("ksh", "mksh", "yash", "zsh")]
)
def test_other_shells_install_and_remove(home: Home, other: str) -> None:
    words = [*OFFLINE, *AS_NOBODY, other]
    options = ["--user", "--no-service", "--", *COMMAND]
    done = run(*words, f"{home.bundle}/install/install.sh", *options, environ=home.environ)
    assert (done.returncode, done.stdout) == (6, "the product\n"), done.stderr
    home.works()
    planted(home.path / "docker.env", "DO_NOT_TRACK=1\n")
    done = run(*words, f"{home.bundle}/install/install.sh", *options, environ=home.environ)
    assert (done.returncode, done.stdout, done.stderr) == (6, "the product\n", "")
    done = run(*words, f"{home.root}/install/uninstall.sh", environ=home.environ)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in home.path.iterdir()] == ["docker.env"]


def test_words_on_what_to_type_name_a_command_that_is_found(home: Home) -> None:
    """Few systems have ~/.local/bin on the PATH before the next login."""
    done = run(*home.installing("--", "true"), environ=home.environ)
    assert f"to see it: {home.command} preview; to turn it off: {home.command} disable" in done.stderr
    found = {**home.environ, "PATH": f"{home.environ['PATH']}:{home.command.parent}"}
    for environ, word in ((home.environ, str(home.command)), (found, "rollcall")):
        done = run(*AS_NOBODY, home.command, "status", environ=environ)
        assert f"turn it off: {word} disable" in done.stdout
        done = run(*AS_NOBODY, home.command, "status", "--help", environ=environ)
        assert done.stdout.startswith(f"usage: {word} status")


@pytest.mark.needs("busybox")
def test_busybox_and_a_home_with_spaces_are_enough(home: Home) -> None:
    """A small machine's tools alone, in folders that need quoting, under a tight umask."""
    tools, busybox = small_tools(home.path), shell("busybox")[0]
    for more in ("python3", "cksum"):  # which Debian's own busybox leaves out
        (tools / more).symlink_to(f"/usr/bin/{more}")
    place = home.path / "of Jörg"
    shutil.copytree(home.bundle, place / "un packed")
    odd = Home(place / "un packed", place / "his home")
    odd.path.mkdir()
    os.chown(odd.path, NOBODY, NOBODY)
    environ = {**odd.environ, "PATH": str(tools)}
    words = [*shell("busybox"), f"{odd.bundle}/install/install.sh", "--user", "--", *COMMAND]
    as_nobody = [f"/usr/bin/{AS_NOBODY[0]}", *AS_NOBODY[1:]]
    done = run(*as_nobody, busybox, "sh", "-c", 'umask 077; exec "$@"', "sh", *words, environ=environ)
    assert (done.returncode, done.stdout) == (6, "the product\n"), done.stderr
    assert "not reported" not in done.stderr
    odd.works()
    again = run(*as_nobody, *shell("busybox"), *words[2:], environ=environ)
    assert "the private environment is up to date" in again.stderr
    words = [*as_nobody, *shell("busybox"), f"{odd.root}/install/uninstall.sh"]
    done = run(*words, environ=environ)
    assert (done.returncode, list(odd.path.iterdir())) == (0, []), done.stderr


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-", "9>&-"])
def test_descriptors_may_be_closed(home: Home, closed: str) -> None:
    """The command says by a file that it ran; without a network and without wheels, it ends plainly."""
    script = f'"$@" {closed}'
    install = [
        str(INSTALL / "install.sh"),
        "--user",
        "--",
        "sh",
        "-c",
        f"echo ran >'{home.path}/ran'; exit 6",
    ]
    environ = {**home.environ, "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    done = run(*AS_NOBODY, "sh", "-c", script, "sh", *install, environ=environ)
    assert done.returncode == 6, done.stderr
    assert (home.path / "ran").read_text() == "ran\n"


ODD_PIP = "[global]\nfind-links = /nowhere/at/all\nverbose = 3\nno-such-option = x\n"


@pytest.mark.parametrize("archive", [True, False])
def test_pip_says_nothing_of_odd_settings_on_the_machine(home: Home, archive: bool) -> None:
    """From an archive and from a package index, here one that does not answer."""
    planted(home.path / ".config/pip/pip.conf", ODD_PIP)
    environ = {**home.environ, "PIP_FIND_LINKS": "/also/nowhere", "PIP_VERBOSE": "2", "PIP_RETRIES": "0"}
    environ |= {"PIP_LOG": "/nowhere/log", "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    command = home.installing("--", *COMMAND)
    if not archive:
        command = [str(INSTALL / "install.sh") if word.endswith("install.sh") else word for word in command]
    done = run(*command, environ=environ)
    assert (done.returncode, done.stdout) == (6, "the product\n")
    assert "nowhere" not in done.stderr
    ours = [line for line in done.stderr.splitlines() if not line.startswith(("rollcall: ", "pip: "))]
    assert ours == []
    assert ("pip: " in done.stderr) is not archive


def test_pips_own_settings_on_the_machine_do_not_reach_an_archive(home: Home) -> None:
    planted(home.path / ".config/pip/pip.conf", "[global]\nno-binary = :all:\nrequire-virtualenv = yes\n")
    environ = {**home.environ, "PIP_TARGET": str(home.path / "elsewhere"), "PIP_CONFIG_FILE": "/nonexistent"}
    environ |= {"PYTHONPATH": str(home.path), "PYTHONHOME": "/nonexistent", "PYTHONSAFEPATH": ""}
    environ |= {"TMPDIR": "/nonexistent", "POSIXLY_CORRECT": "1", "IFS": "/", "ENV": "/nonexistent"}
    done = run(*home.installing(), environ=environ)
    assert done.returncode == 0, done.stderr
    home.works()


@pytest.mark.needs("dash")
def test_the_state_is_looked_for_where_the_agent_keeps_it(tmp_path: Path) -> None:
    """The agent goes by XDG: a path that is relative counts as none. uninstall.sh deletes what is there."""
    look = '. "$1/lib/names.sh"; places_of_user rollcall; printf %s "$state"'
    for given in ("", "state", "/srv/state"):
        environ = environment(tmp_path, XDG_STATE_HOME=given)
        done = run(*shell("dash"), "-c", look, "x", INSTALL, environ=environ)
        agents = default_state_dir(environ, name="rollcall", uid=NOBODY, home=str(tmp_path))
        assert (done.stdout, done.stderr) == (agents, "")
