"""Completions, asked of the real shells."""

import os
import pty
import select
import subprocess
from pathlib import Path

import pytest

from docs.draw_completions import PROGRAMS
from tests import environ
from tests.wait import PATIENCE

FOLDER = Path(__file__).parents[2] / "docs/completions"
SECONDS = PATIENCE
pytestmark = pytest.mark.once
BASH = """
. "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"_${1//-/_}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
PS1='ready>' PS2='' fpath=({folder} $fpath) HISTFILE=
autoload -Uz compinit && compinit -u -D
zstyle ':completion:*' list-prompt ''
"""


def bash(program: str, *words: str) -> set[str]:
    command = ["bash", "--norc", "-c", BASH, "bash", str(FOLDER / f"{program}.bash"), program, *words]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")) - {""}


def fish(home: Path, program: str, *words: str) -> set[str]:
    code = f"source {FOLDER / program}.fish; complete -C '{' '.join([program, *words])}'"
    command = ["fish", "--no-config", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ.bare(home))
    return {line.partition("\t")[0] for line in done.stdout.splitlines()}


class Zsh:
    """A person at a zsh."""

    def __init__(self, home: Path) -> None:
        (home / ".zshrc").write_text(ZSH.format(folder=FOLDER))
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            settings = environ.bare(home, TERM="dumb", LC_ALL="C.UTF-8", ZDOTDIR=str(home))
            os.execvpe("zsh", ["zsh", "-d", "-i"], settings)
        self.read_until("ready>")

    def read_until(self, text: str) -> str:
        seen = ""
        while text not in seen:
            if not select.select([self.terminal], [], [], SECONDS)[0]:
                raise AssertionError(f"{text!r} did not come: {seen!r}")
            seen += os.read(self.terminal, 4096).decode(errors="replace")
        return seen

    def completed(self, line: str, until: str) -> str:
        """What is on the terminal after this line and a tab."""
        os.write(self.terminal, f"{line}\t".encode())
        seen = self.read_until(until)
        os.write(self.terminal, b"\x15")
        return seen

    def close(self) -> None:
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


@pytest.mark.needs("bash")
def test_bash_completes_verbs_options_and_what_is_wrapped() -> None:
    assert bash("rollcall", "st") == {"status"}
    assert bash("rollcall", "status", "--") == {"--json", "--help"}
    assert bash("rollcall", "consent", "usage", "o") == {"on", "off"}
    assert "env" in bash("rollcall", "wrap", "--", "env")
    assert bash("rollcall", "wrap", "--n") == {"--no-trace", "--no-input"}
    assert bash("rollcall-collector", "keys", "") >= {"add", "list", "revoke"}
    assert "--role" in bash("rollcall-collector", "users", "add", "--r")
    assert "--role" not in bash("rollcall-collector", "keys", "add", "--r")


@pytest.mark.needs("fish")
def test_fish_completes_the_same(tmp_path: Path) -> None:
    assert fish(tmp_path, "rollcall", "stat") == {"status"}
    assert fish(tmp_path, "rollcall", "status", "--js") == {"--json"}
    assert fish(tmp_path, "rollcall-collector", "keys", "rev") == {"revoke"}
    assert fish(tmp_path, "rollcall-collector", "users", "add", "--ro") == {"--role"}
    assert fish(tmp_path, "rollcall-collector", "keys", "add", "--ro") == set()


@pytest.mark.needs("zsh")
def test_zsh_completes_the_same_and_says_what_each_does(tmp_path: Path) -> None:
    zsh = Zsh(tmp_path)
    zsh.completed("rollcall stat", "status ")
    zsh.completed("rollcall consent us", "usage ")
    zsh.completed("rollcall wrap --no-t", "--no-trace ")
    zsh.completed("rollcall-collector users add --ro", "--role ")
    assert "revoke" in zsh.completed("rollcall-collector keys ", "revoke a write key")
    zsh.completed("rollcall wrap -- print", "printf")
    zsh.close()


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.needs("bash", "zsh", "fish")
def test_every_shell_can_read_its_file(program: str) -> None:
    shells = (("bash", f"{program}.bash"), ("zsh", f"_{program}"), ("fish", f"{program}.fish"))
    for shell, file in shells:
        subprocess.run([shell, "-n", str(FOLDER / file)], check=True)
