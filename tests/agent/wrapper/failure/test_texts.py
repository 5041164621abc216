"""What the texts of a script say about a line, without a run of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.wrapper.failure.looks import Look
from agent.wrapper.failure.record import Position
from agent.wrapper.failure.texts import Texts

TEXT = b"""main() {
  curl x
}
check() {
  [ -e "$1" ] || exit 2
}
die() { echo "$1"; exit 1; }
fail() {
  echo 'it failed'
  exit 1
  true
}
leave() { cleanup "$1"; }
run() {
  "$@"
}
all() {
  [ "$1" ] && exit 3
  true
}
all "$@"
(cd x; true)
curl a | tar x
a=1
b=${a?is not set}
if x; then echo $c; fi
last
"""


def texts() -> Texts:
    return Texts([Look(b"./i.sh", TEXT)])


def at(line: int, function: bytes = b"main", source: bytes = b"./i.sh") -> Position:
    return Position(source, line, function)


@pytest.mark.parametrize(
    ("inner", "caller", "helps"),
    [
        (at(2, b"main"), at(27), False),
        (at(5, b"check"), at(27), True),
        (at(7, b"die"), at(27), True),
        (at(10, b"fail"), at(27), True),
        (at(13, b"leave"), at(27), True),
        (at(18, b"all"), at(27), True),
        (at(18, b"all"), at(21), False),
        (at(3, b"nosuch"), at(27), False),
        (at(3, b"f", b"/nosuch"), at(27), True),
    ],
)
def test_a_helper_that_ends_the_script_is_told_from_a_step(
    inner: Position, caller: Position, helps: bool
) -> None:
    assert texts().helps(inner, caller) is helps


@pytest.mark.parametrize(("lines", "helps"), [(14, True), (15, False)])
def test_only_a_short_function_judges(lines: int, helps: bool) -> None:
    text = b"f() {\n  [ $1 ] && exit 3\n%s}\nf x\n" % (b"  true\n" * (lines - 1))
    found = Texts([Look(b"./i.sh", text)])
    assert found.helps(at(2, b"f"), at(lines + 3)) is helps


@pytest.mark.parametrize(
    ("line", "name", "nounset", "after"),
    [
        (24, b"", False, 25),
        (23, b"curl", False, None),
        (24, b"[", True, None),
        (27, b"last", True, None),
        (26, b"x", True, None),
        (99, b"x", True, None),
    ],
)
def test_an_unset_variable_is_looked_for_in_the_next_command(
    line: int, name: bytes, nounset: bool, after: int | None
) -> None:
    assert texts().unset_after(at(line), name, nounset=nounset) == after


@pytest.mark.parametrize(("line", "given"), [(15, True), (13, False), (27, False)])
def test_a_command_that_is_what_a_function_is_given(line: int, given: bool) -> None:
    assert texts().runs_given(at(line, b"run")) is given


def test_of_a_file_that_cannot_be_read_nothing_is_known() -> None:
    found, gone = texts(), b"/nosuch"
    assert found.script(gone) is None
    assert found.start(gone, 7, b"x") == 7
    assert found.start(gone, 0, b"x") is None
    assert not found.in_subshell(gone, 1)
    assert not found.last(gone, 1)
    assert found.pipeline(gone, 1, 2) is None
    assert found.unset_after(at(1, source=gone), b"x", nounset=True) is None
    assert not found.runs_given(at(1, source=gone))


def test_a_line_of_the_text_is_found() -> None:
    found = texts()
    assert found.in_subshell(b"./i.sh", 22)
    assert found.last(b"./i.sh", 27)
    assert not found.last(b"./i.sh", 26)
    assert [each.name() for each in found.pipeline(b"./i.sh", 23, 2) or ()] == [b"curl", b"tar"]
    assert found.pipeline(b"./i.sh", 23, 3) is None


def test_what_is_sourced_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "lib.sh").write_text("f() { true; }\n")
    found = Texts([Look(b"main", b"g() { :; }\n")], os.fsencode(tmp_path))
    assert found.functions() == {b"g"}
    assert found.start(b"lib.sh", 1, b"true") == 1
    assert found.functions() == {b"f", b"g"}
    assert found.script(b"bash") is found.script(b"")
