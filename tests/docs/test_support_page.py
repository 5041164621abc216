"""What docs/support.md tells vendors to run is there, and opens a bundle."""

import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from agent.bundle.collect import Piece
from agent.bundle.pack import make_tar
from agent.bundle.seal import Seal
from agent.bundle.support_list import _parse
from collector.admin.member_keys import COST, Key
from collector.base.srp import GROUP
from collector.cli import build_parser
from collector.page.access import limits
from tests.wait import PATIENCE

PAGE = (Path(__file__).parents[2] / "docs" / "support.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    """The words of each `rollcall-collector` command on the page."""
    lines = re.findall(r"^rollcall-collector (.+)$", PAGE, re.MULTILINE)
    return [line.partition("#")[0].split() for line in lines]


def test_every_command_on_the_page_is_one() -> None:
    assert len(commands()) > 8
    for words in commands():
        build_parser().parse_args(words)


def test_the_command_for_a_file_opens_what_is_sealed_for_the_key(tmp_path: Path) -> None:
    (command,) = [words for words in commands() if words[:2] == ["bundles", "open"] and "--key" in words]
    key = Key.new()
    (tmp_path / "private.json").write_text(key.private_jwk)
    plain = make_tar([Piece("a/b", "text")], "report", 0)
    (tmp_path / "bundle.jwe").write_bytes(Seal(key.public_jwk).seal(plain))
    done = subprocess.run(
        [sys.executable, "-m", "collector", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert done.stdout == "REPORT.txt\na/b\n"
    assert (tmp_path / "opened/a/b").read_text() == "text"


def test_the_page_names_the_parameters_that_are_used() -> None:
    assert (COST.memory, COST.passes, COST.lanes) == (64 * 1024, 3, 4)
    assert "64 MiB, three passes, four lanes" in PAGE
    assert (GROUP.prime.bit_length(), GROUP.digest) == (3072, sha256)
    assert "the group of 3072 bits of RFC 5054, SHA-256" in PAGE
    assert (limits.NAME_TRIES, limits.SECONDS_A_NAME_TRY) == (20, 300)
    assert (limits.TRIES, limits.SECONDS_A_TRY) == (5, 30)
    assert "20 guesses are free, then one is allowed every five minutes" in PAGE
    assert "One\naddress has five, then one every 30 seconds" in PAGE


def test_the_list_on_the_page_is_read() -> None:
    (text,) = re.findall(r"```\n(# what our support needs\n.*?)```", PAGE, re.DOTALL)
    assert len(_parse("support.list", text)) == 3
