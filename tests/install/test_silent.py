"""With a flag set, install.sh makes nothing, asks nobody, and is COMMAND."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

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
from tests.install.trees import tree
from tests.leftovers import remove

EACH_SHELL = [pytest.param(name, marks=pytest.mark.needs(name)) for name in SHELLS]
CHANGES = ["creat", "mkdir", "mkdirat", "symlink", "symlinkat", "link", "linkat", "rename", "renameat"]
CHANGES += ["renameat2", "unlink", "unlinkat", "mknod", "chmod", "fchmod"]
MAKES = rf"\b({'|'.join(CHANGES)})\("
CALLS = f"trace=socket,connect,sendto,openat,open,execve,{','.join(CHANGES)}"
COMMAND = ["sh", "-c", "cat; echo out; echo err >&2; exit 5"]
pytestmark = pytest.mark.needs("user", "strace")


@pytest.fixture
def home() -> Iterator[Path]:
    place = home_of_nobody()
    yield place
    remove(place)


def traced(home: Path, by: str, *words: str, **more: str) -> tuple[tuple[int, str, str], list[str]]:
    """How install.sh ended, and each call by which it made a file or reached for a network."""
    trace = Path(f"{home}.trace")
    trace.touch()
    trace.chmod(0o666)
    command = ["strace", "-f", "-qq", "-o", str(trace), "-e", CALLS]
    done = run(
        *AS_NOBODY, *command, *shell(by), INSTALL / "install.sh", *words,
        environ=environment(home, **more), typed="typed\n",
    )  # fmt: skip
    lines = trace.read_text().splitlines()
    trace.unlink()
    assert any("execve(" in line for line in lines)
    made = [
        line for line in lines if re.search(MAKES, line) or ("O_CREAT" in line and '"/dev/null"' not in line)
    ]
    return (done.returncode, done.stdout, done.stderr), made + [line for line in lines if "socket(" in line]


@pytest.mark.parametrize("by", EACH_SHELL)
def test_a_flag_leaves_nothing_but_the_command(home: Path, by: str) -> None:
    bare = run(*AS_NOBODY, *COMMAND, environ=environment(home), typed="typed\n")
    (home / "quiet").mkdir()
    (home / "quiet/docker.env").write_text("ACME_DISABLE_TELEMETRY=1\n")
    before = tree(home, "")
    for more in ({"DO_NOT_TRACK": "1"}, {"ROLLCALL_ENV_FILE": str(home / "quiet/docker.env")}):
        ended, made = traced(home, by, "--user", "--", *COMMAND, **more)
        assert ended == (bare.returncode, bare.stdout, bare.stderr)
        assert made == []
    assert traced(home, by, "--user", "--env-file", "quiet/docker.env")[1] == []
    assert tree(home, "") == before


def test_the_meter_moves_without_a_flag(home: Path) -> None:
    """The index answers on no port here, so all ends as plainly as it would in silence."""
    loud = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    (code, out, said), made = traced(home, "dash", "--user", "--", *COMMAND, **loud)
    assert (code, out) == (5, "typed\nout\n")
    assert "could not be installed" in said
    assert any("mkdir" in line for line in made)
    assert any("O_CREAT" in line for line in made)
    assert any("socket(" in line for line in made)


@pytest.mark.parametrize("by", EACH_SHELL)
def test_without_a_command_it_says_why_nothing_was_made(home: Path, by: str) -> None:
    (code, out, said), made = traced(home, by, "--user", DISABLE_TELEMETRY="yes")
    assert (code, out, made) == (0, "", [])
    assert said == "rollcall: telemetry is off (a flag is set in the environment), so nothing is installed\n"
    (code, _, said), made = traced(home, by, "--demo", "--once", DISABLE_TELEMETRY="yes")
    assert (code, made) == (1, [])
    assert "telemetry is off" in said


WRONG = [
    ["--bogus"],
    ["--product", "A far too long name of a product"],
    ["--product"],
    ["--endpoint", "nowhere"],
    ["--env-file", "/nonexistent"],
    ["--once", "stray"],
]


@pytest.mark.parametrize("by", EACH_SHELL)
def test_a_flag_comes_before_wrong_options(home: Path, by: str) -> None:
    refusal = home / ".config/rollcall/docker.env"
    for words in WRONG:
        command = [*AS_NOBODY, *shell(by), str(INSTALL / "install.sh"), *words]
        loud = run(*command, "--", *COMMAND, environ=environment(home), typed="typed\n")
        assert (loud.returncode, loud.stdout) == (2, ""), words
        silent = [run(*command, "--", *COMMAND, environ=environment(home, DO_NOT_TRACK="1"), typed="typed\n")]
        refusal.parent.mkdir(parents=True)
        refusal.write_text("DO_NOT_TRACK=1\n")
        silent.append(run(*command, "--", *COMMAND, environ=environment(home), typed="typed\n"))
        shutil.rmtree(home / ".config")
        for done in silent:
            assert (done.returncode, done.stdout, done.stderr) == (5, "typed\nout\n", "err\n"), words
    for words in (["--bogus"], ["--bogus", "--"]):  # there is no COMMAND
        command = [*AS_NOBODY, *shell(by), str(INSTALL / "install.sh"), *words]
        done = run(*command, environ=environment(home, DO_NOT_TRACK="1"))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("by", EACH_SHELL)
def test_with_a_flag_the_command_gets_the_environment_as_it_was(home: Path, by: str) -> None:
    """Exported variables, though they have the names of the script's own."""
    names = variables()
    assert {"here", "why", "product", "user"} < names
    (home / ".config/rollcall-acme").mkdir(parents=True)
    (home / ".config/rollcall-acme/docker.env").write_text("DO_NOT_TRACK=1\n")
    for more, words in (({"DO_NOT_TRACK": "1"}, []), ({}, ["--product", "Acme"])):
        environ = {**environment(home, **more), **dict.fromkeys(names, "the caller's")}
        done = run(*AS_NOBODY, *shell(by), INSTALL / "install.sh", *words, "--", "env", environ=environ)
        assert (done.returncode, done.stderr) == (0, "")
        seen = dict(line.split("=", 1) for line in done.stdout.splitlines())
        assert {name: seen.get(name) for name in environ} == environ


def test_a_script_that_lost_its_parts_still_runs_the_command(home: Path) -> None:
    shutil.copy(INSTALL / "install.sh", home)
    done = run(*AS_NOBODY, "sh", home / "install.sh", "--", *COMMAND, environ=environment(home))
    assert (done.returncode, done.stdout) == (5, "out\n")
    assert "lib/names.sh is not beside install.sh" in done.stderr
