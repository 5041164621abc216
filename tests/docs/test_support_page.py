"""What docs/support.md tells vendors to run makes a key and opens a bundle."""

import re
import subprocess
import sys
from pathlib import Path

from agent.bundle.collect import Piece
from agent.bundle.pack import make_tar
from agent.bundle.seal import Seal
from agent.bundle.support_list import _parse

PAGE = (Path(__file__).parents[2] / "docs" / "support.md").read_text(encoding="utf-8")


def run(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_the_code_on_the_page_makes_a_key_and_opens_what_is_sealed_for_it(tmp_path: Path) -> None:
    (make_key,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (command,) = re.findall(r"^rollcall-collector (bundles open bundle.jwe .*)$", PAGE, re.MULTILINE)
    public, private = run(make_key, tmp_path).splitlines()
    (tmp_path / "private.json").write_text(private)
    (tmp_path / "bundle.jwe").write_bytes(Seal(public).seal(make_tar([Piece("a/b", "text")], "report", 0)))
    done = subprocess.run(
        [sys.executable, "-m", "collector", *command.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "REPORT.txt\na/b\n"
    assert (tmp_path / "opened/a/b").read_text() == "text"


def test_the_list_on_the_page_is_read() -> None:
    (text,) = re.findall(r"```\n(# what our support needs\n.*?)```", PAGE, re.DOTALL)
    assert len(_parse("support.list", text)) == 3
