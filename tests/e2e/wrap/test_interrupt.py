"""^C at any moment ends a script, whichever method traces it, as it ends one that is not traced."""

import sys
from pathlib import Path

import pytest

from tests import environ
from tests.e2e.wrap.shell import PROMPT, Shell

BODY = """
f() { :; }
i=0
while :; do
    i=$((i + 1))
    /bin/true
    x=$(echo a | cat)
    f $i
    (exit 0)
    echo turn $i
done
"""
FIRST = {"xtrace": "", "traps": '[ "$NEVER" ] && set -x', "error": ': "$-"', "dash": ""}
"""The first line of a script for which each method is chosen, and of one of sh."""

PRESSES = 20
"""bash itself loses a ^C now and then, where what it waits for ends well. So it is pressed again."""


def presses(shell: Shell) -> int:
    """How many ^C it takes."""
    for count in range(1, PRESSES):
        shell.type("\x03")
        shell.expect("^C")
        if shell.expect("turn", PROMPT) == PROMPT:
            return count
    raise AssertionError(shell.screen)


@pytest.mark.once
@pytest.mark.parametrize("method", FIRST)
def test_an_interrupt_at_any_moment_ends_a_script(tmp_path: Path, method: str, slow: bool) -> None:
    (tmp_path / "install.sh").write_text(FIRST[method] + BODY)
    program = "dash" if method == "dash" else "bash"
    wrap = f"{sys.executable} -I -m agent wrap --no-input"
    environment = environ.bare(tmp_path, ROLLCALL_STATE_DIR=str(tmp_path / "state"))
    pressed = {"": 0, f"{wrap} -- ": 0}
    with Shell(environment, str(tmp_path)) as shell:
        shell.type(f"{wrap} --explain -- bash install.sh\n")
        shell.expect(f"method: {method}" if program == "bash" else "method: xtrace")
        for turn in range(200 if slow else 3):
            for wrapper in pressed:
                shell.type(f"{wrapper}{program} install.sh\n")
                shell.expect(f"turn {turn % 7 + 1}\r")
                pressed[wrapper] += presses(shell)
                shell.type("echo status:$?\n")
                shell.expect("status:130\r")
                shell.expect(PROMPT)
    print(pressed)
