"""Every place, owner, mode and folder of a docker.env, for each caller and verb, as docs/protocol.md says."""

import itertools
import json
import re
from pathlib import Path

import pytest

from tests.e2e.guest import matrix
from tests.e2e.machine import booted
from tests.e2e.product import Product

PAGE = Path(__file__).parents[2] / "docs/protocol.md"
DRIVER = Path(matrix.__file__)
Row = tuple[str, str, str]
"""Owner, mode, folder."""
pytestmark = pytest.mark.needs("root", "systemd")


def promised() -> dict[tuple[Row, str], str]:
    """The page's table: what happens, by row and caller."""
    table = PAGE.read_text().partition("## A docker.env")[2].partition("\n## ")[0]
    found: dict[tuple[Row, str], str] = {}
    for line in re.findall(r"^\| (.*) \|$", table, re.MULTILINE)[2:]:
        owners, modes, folder, *outcomes = line.split(" | ")
        modes = ", ".join(matrix.MODES) if modes == "any" else modes
        for owner, mode in itertools.product(owners.split(", "), modes.split(", ")):
            for caller, outcome in zip(matrix.CALLERS, outcomes, strict=True):
                row = ((owner, mode, folder), caller)
                assert row not in found, f"{row} is there twice"
                found[row] = outcome
    return found


def test_the_table_has_every_case_once() -> None:
    rows = itertools.product(matrix.USERS, matrix.MODES, matrix.FOLDERS)
    assert set(promised()) == set(itertools.product(rows, matrix.CALLERS))


@pytest.mark.timeout(1200)
def test_every_docker_env_in_every_place_does_what_the_page_says(slow: bool) -> None:
    table = promised()
    with booted() as machine:
        product = Product(machine, "rollcall")
        product.install("")
        product.env.unlink()
        machine.path("/run/matrix.py").write_text(DRIVER.read_text())
        words = [product.python, "-I", "/run/matrix.py", "whole" if slow else "part"]
        found = json.loads(machine.run(*words, timeout=1100).splitlines()[-1])
    wrong = []
    for *case, owner, mode, folder, text, caller, verb, outcome in found:
        expected = "silent" if text == "flag" else table[(owner, mode, folder), caller]
        if outcome != expected:
            wrong.append([*case, owner, mode, folder, text, caller, verb, outcome, "expected", expected])
    assert not wrong, "\n".join(map(", ".join, wrong))
    assert len(found) > 900
