"""What install.sh was told holds for the installation that it wraps, whatever stands in the folder."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.install.scripts import (
    AS_NOBODY,
    INSTALL,
    SHELLS,
    environment,
    home_of_nobody,
    run,
    shell,
    variables,
)
from tests.leftovers import remove
from tests.parts import NOBODY
from tests.receiver import Receiver
from tests.wait import until

pytestmark = pytest.mark.needs("user", "dash")
EACH_SHELL = [pytest.param(name, marks=pytest.mark.needs(name)) for name in SHELLS]
ELSEWHERE = "ROLLCALL_ENDPOINT=http://127.0.0.1:9\nROLLCALL_PRODUCT=Other\nROLLCALL_WRITE_KEY=theirs\n"


@pytest.fixture
def home() -> Iterator[Path]:
    place = home_of_nobody()
    yield place
    remove(place)


def owned(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    os.chown(path, NOBODY, NOBODY)
    return path


def product_of(event: Any) -> Any:
    return event["context"]["app"]["name"]


def install(bundle: Path, home: Path, *words: str, **more: str) -> str:
    """Run install.sh in the user's home; what COMMAND printed, which is its environment."""
    command = [*AS_NOBODY, *shell("dash"), f"{bundle}/install/install.sh", "--user", "--no-service", *words]
    done = run(*command, "--", "env", environ=environment(home, **more))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("here", "more"),
    [
        ("APPSMITH_ENCRYPTION_SALT=abc\n", {}),
        (ELSEWHERE, {}),
        ("", dict(line.split("=", 1) for line in ELSEWHERE.splitlines())),
    ],
    ids=["the product's own docker.env", "other values in docker.env", "other values in the environment"],
)
def test_what_install_sh_was_told_holds(bundle: Path, home: Path, here: str, more: dict[str, str]) -> None:
    owned(home / "docker.env", here)
    key = owned(home / "key", "s3cret\n")
    with Receiver() as receiver:
        words = ["--product", "Acme Board", "--endpoint", receiver.endpoint, "--write-key-file", str(key)]
        seen = install(bundle, home, *words, **more)
        until(lambda: len(receiver.ids) == 2, why="both events have come")
    events = [event for request in receiver.requests for event in request.batch]
    assert [event["event"] for event in events] == ["Installation Started", "Installation Success"]
    assert {product_of(event) for event in events} == {"Acme Board"}
    assert {request.key for request in receiver.requests} == {"s3cret"}
    ours = [line for line in seen.splitlines() if line.startswith("ROLLCALL")]
    assert ours == [f"{name}={value}" for name, value in more.items()], "COMMAND has the caller's own"


ODD = """it's "odd": $HOME `id` \\ * \n and more"""


@pytest.mark.parametrize("by", EACH_SHELL)
def test_the_command_gets_the_environment_as_it_was(bundle: Path, home: Path, by: str) -> None:
    """Also exported variables with the names of the script's own: wrapped, and where nothing works."""
    theirs = {**environment(home), **dict.fromkeys(variables(), "the caller's"), "odd": ODD}
    lost = home / "install.sh"
    shutil.copy(INSTALL / "install.sh", lost)
    for script in (bundle / "install/install.sh", lost):
        words = ["--user", "--no-service", "--product", "Acme", "--", "env", "-0"]
        done = run(*AS_NOBODY, *shell(by), script, *words, environ=theirs)
        assert done.returncode == 0, done.stderr
        assert ("lib/names.sh is not" in done.stderr) == (script == lost)
        seen = dict(line.split("=", 1) for line in done.stdout.split("\0")[:-1])
        assert {name: seen.get(name) for name in theirs} == theirs


def test_an_exported_variable_does_not_say_how_an_installation_ended(home: Path) -> None:
    lost = home / "install.sh"
    shutil.copy(INSTALL / "install.sh", lost)
    done = run(*AS_NOBODY, *shell("dash"), lost, environ=environment(home, code="0"))
    assert (done.returncode, "nothing is installed" in done.stderr) == (1, True)


def test_an_exported_variable_that_bash_cannot_set_again_costs_no_word(home: Path) -> None:
    lost = home / "install.sh"
    shutil.copy(INSTALL / "install.sh", lost)
    theirs = environment(home, SHELLOPTS="braceexpand:hashall", BASHOPTS="cmdhist", here="theirs")
    done = run(*AS_NOBODY, "bash", lost, "--", "sh", "-c", "echo $here", environ=theirs)
    assert done.stdout == "theirs\n"
    assert done.stderr.splitlines() == [
        "rollcall: lib/names.sh is not beside install.sh, so nothing is installed"
    ]


@pytest.mark.parametrize("told", ["told.env", "./told.env", "../{home}/told.env"])
def test_an_env_file_may_be_named_from_where_one_stands(bundle: Path, home: Path, told: str) -> None:
    with Receiver() as receiver:
        owned(home / "told.env", f"ROLLCALL_ENDPOINT={receiver.endpoint}\n")
        install(bundle, home, "--env-file", told.format(home=home.name))
        until(lambda: len(receiver.ids) == 2, why="both events have come")
    assert (home / ".config/rollcall/docker.env").readlink() == home.resolve() / "told.env"


def test_the_env_file_that_install_sh_was_told_comes_first_and_a_flag_in_another_still_counts(
    bundle: Path, home: Path
) -> None:
    owned(home / "docker.env", ELSEWHERE)
    own = owned(home / "own.env", "ROLLCALL_PRODUCT=Third\n")
    with Receiver() as receiver:
        told = owned(home / "told.env", f"ROLLCALL_PRODUCT=Acme\nROLLCALL_ENDPOINT={receiver.endpoint}\n")
        install(bundle, home, "--env-file", str(told), ROLLCALL_ENV_FILE=str(own))
        until(lambda: len(receiver.ids) == 2, why="both events have come")
        names = {product_of(event) for one in receiver.requests for event in one.batch}
        assert names == {"Acme"}
        owned(own, "DO_NOT_TRACK=1\n")
        command = home / ".local/bin/rollcall"
        words = ["wrap", f"--set=ROLLCALL_ENV_FILE={told}", "--", "true"]
        environ = environment(home, ROLLCALL_ENV_FILE=str(own))
        done = run(*AS_NOBODY, command, *words, environ=environ)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        log = run(*AS_NOBODY, command, "log", "--json", environ=environment(home)).stdout
        assert len([json.loads(line) for line in log.splitlines()]) == 2
