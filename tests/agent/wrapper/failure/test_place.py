from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wrapper.failure import programs, record
from agent.wrapper.failure.looks import Look
from agent.wrapper.failure.place import Place, where
from agent.wrapper.failure.texts import Texts

TEXT = b"""set -e
die() { exit 3; }
grep z x
curl a || die
if ! [ -f x ]; then exit 4; fi
(false)
x=$(curl a)
curl a | tar
"""
MAIN = 7


def entry(
    text: str, line: int, *, status: int = 0, depth: int = 1, pid: int = MAIN, calls: str = "", at: str = "0"
) -> bytes:
    stack = f"{calls} main" if calls else ""
    sources = " ".join(["./i.sh"] * (1 + len(calls.split())))
    fields = [str(status), str(status), "ehB", str(pid), str(line), stack, at, sources, text]
    return (b"\6" * depth) + b"\2" + "\2".join(fields).encode() + b"\n"


def error(line: int, status: int, pipe: str = "", *, pid: int = MAIN, flags: str = "ehxBE") -> bytes:
    return entry(f": rollcall {status} {flags} {pipe or status} last", line, status=status, depth=2, pid=pid)


def found(*entries: bytes, code: int = 1) -> tuple[str, ...] | None:
    return where(b"".join(entries), MAIN, code, Texts([Look(b"./i.sh", TEXT)]))


OTHER = b"""ls a > out
ls a | cat > out
ls a > /dev/null
rm a
exit 4
rm a
exit $?
rm a
exit
if ls a; then exit 5; fi
"""


@pytest.mark.parametrize(
    ("entries", "code", "place"),
    [
        # It did not run, if the file could not be opened.
        ([entry("ls a", 1), error(1, 1)], 1, ("1", "-", "i.sh", "-")),
        ([entry("ls a", 1), error(1, 2)], 2, ("1", "ls", "i.sh", "2")),
        ([entry("ls a", 2, pid=8), entry("cat", 2, pid=9), error(2, 1, "0 1")], 1, ("2", "-", "i.sh", "-")),
        ([entry("ls a", 2, pid=8), entry("cat", 2, pid=9), error(2, 1, "1 0")], 1, ("2", "ls", "i.sh", "1")),
        ([entry("ls a", 3), error(3, 1)], 1, ("3", "ls", "i.sh", "1")),
        # Nothing looked at how it ended.
        ([entry("rm a", 4), entry("exit 4", 5, status=1)], 4, ("5", "-", "i.sh", "-")),
        ([entry("rm a", 6), entry("exit 1", 7, status=1)], 1, ("7", "rm", "i.sh", "1")),
        ([entry("rm a", 8), entry("exit", 9, status=1)], 1, ("9", "rm", "i.sh", "1")),
        ([entry("ls a", 10), entry("exit 5", 10, status=2)], 5, ("10", "ls", "i.sh", "2")),
    ],
)
def test_a_program_is_named_only_if_it_ran_and_its_end_counted(
    entries: list[bytes], code: int, place: tuple[str, ...]
) -> None:
    assert where(b"".join(entries), MAIN, code, Texts([Look(b"./i.sh", OTHER)])) == place


@pytest.mark.parametrize(
    ("entries", "code", "place"),
    [
        ([entry("grep z x", 3), error(3, 2)], 2, ("3", "grep", "i.sh", "2")),
        ([entry("grep z x", 3), error(3, 2, flags="hxBE")], 2, ("3", "grep", "i.sh", "2")),
        ([entry("grep z x", 3), error(3, 2, flags="hxBE")], 1, None),
        ([entry("/usr/bin/grep z x", 3), error(3, 1)], 1, ("3", "grep", "i.sh", "1")),
        (
            [entry("curl a", 4), entry("die", 4, status=6), entry("exit 3", 2, calls="die", at="4 0")],
            3,
            ("4", "curl", "i.sh", "6"),
        ),
        ([entry("[ -f x ]", 5), entry("exit 4", 5, status=0)], 4, ("5", "-", "i.sh", "-")),
        ([entry("[ -f x ]", 5), entry("exit 4", 99)], 4, None),
        ([entry("false", 6, pid=8), error(6, 1, pid=8), error(6, 1)], 1, ("6", "false", "i.sh", "1")),
        (
            [
                entry("curl a", 7, pid=8, depth=2),
                error(7, 9, pid=8, flags="hxBE"),
                entry("x=", 7),
                error(7, 9),
            ],
            9,
            ("7", "curl", "i.sh", "9"),
        ),
        (
            [entry("curl a", 8, pid=8), entry("tar", 8, pid=9), error(8, 6, "6 0")],
            6,
            ("8", "curl", "i.sh", "6"),
        ),
        ([entry("grep z x", 3), error(3, 1, "0")], 1, None),
        ([entry("grep z x", 3), error(3, 1), entry("exit 0", 1, status=1)], 0, ("3", "grep", "i.sh", "1")),
        ([entry("exec sh y", 3)], 5, None),
        ([entry("exec grep z", 3)], 5, ("3", "grep", "i.sh", "5")),
        ([entry("exec nosuch z", 99)], 5, None),
        (
            [entry("grep z x", 3), error(3, 2, flags="hxBE"), error(3, 2, flags="hxBE")],
            2,
            ("3", "grep", "i.sh", "2"),
        ),
        (
            [entry("curl a", 7, pid=8, depth=2), entry("x=", 7), entry("exit 4", 5, status=9)],
            4,
            ("5", "curl", "i.sh", "9"),
        ),
        ([entry("curl a", 4), entry("exit 4", 5, status=6)], 4, ("5", "curl", "i.sh", "6")),
        (
            [entry("curl a", 8, pid=8), entry("tar", 8, pid=9), entry("exit 4", 5, status=1)],
            4,
            ("5", "-", "i.sh", "-"),
        ),
        (
            [
                entry("curl a", 4),
                entry("tar", 4, pid=9),
                entry("sh", 4, pid=10),
                entry("exit 4", 5, status=6),
            ],
            4,
            ("5", "-", "i.sh", "-"),
        ),
        ([], 1, None),
    ],
)
def test_a_place_is_exact_or_absent(entries: list[bytes], code: int, place: tuple[str, ...] | None) -> None:
    assert found(*entries, code=code) == place


COMPUTED = b"""set -e
DB_PASSWORD= $typed
nosuch --version
TOOL=${TOOL:-/opt/nosuch}
$TOOL up
$typed || exit 4
exec $typed
"""


@pytest.mark.parametrize(
    ("entries", "code", "place"),
    [
        ([entry("DB_PASSWORD=", 2), entry("s3cr3t", 2), error(2, 127)], 127, ("2", "-", "i.sh", "-")),
        ([entry("DB_PASSWORD=", 2), entry("/home/anna", 2), error(2, 126)], 126, ("2", "-", "i.sh", "-")),
        ([entry("s3cr3t", 6), entry("exit 4", 6, status=127)], 4, ("6", "-", "i.sh", "-")),
        ([entry("exec s3cr3t", 7)], 127, ("7", "-", "i.sh", "-")),
        # It was there, for it ran.
        ([entry("DB_PASSWORD=", 2), entry("tool", 2), error(2, 5)], 5, ("2", "tool", "i.sh", "5")),
        # The text says it.
        ([entry("nosuch --version", 3), error(3, 127)], 127, ("3", "nosuch", "i.sh", "127")),
        ([entry("/opt/nosuch up", 5), error(5, 127)], 127, ("5", "nosuch", "i.sh", "127")),
    ],
)
def test_what_came_out_of_a_variable_and_is_no_program_is_not_named(
    entries: list[bytes], code: int, place: tuple[str, ...]
) -> None:
    assert where(b"".join(entries), MAIN, code, Texts([Look(b"./i.sh", COMPUTED)])) == place


UNSET = b"""set -e; trap 'echo failed' ERR
. ./lib.sh
: "${DOMAIN:?set it}"
make a
: ${PORT:?set it}
"""
NOUNSET = entry(". ./lib.sh", 2).replace(b"ehB", b"ehuB")
TRAP = entry("trap 'echo failed' ERR", 1)
LAST = [each.replace(b"ehB", b"huB") for each in (entry("ls a", 2), error(2, 1, flags="huxBE"))]
"""Without errexit, but with nounset."""
SOURCED = entry("A=1", 1, depth=2, calls="source", at="2 0").replace(b"./i.sh ./i.sh", b"./lib.sh ./i.sh")


@pytest.mark.parametrize(
    ("text", "entries", "code", "place"),
    [
        (UNSET, [entry(". ./lib.sh", 2)], 1, None),
        (b"set -e\n. ./lib.sh\necho a\n", [entry(". ./lib.sh", 2)], 1, ("2", "-", "i.sh", "-")),
        (b"set -eu\n. ./lib.sh\na=$1\n", [NOUNSET], 1, None),
        (b"set -eu\n. ./lib.sh\ncat <<E\n$1\nE\n", [NOUNSET], 1, None),
        (b"set -eu\n. ./lib.sh\nfor a in $b; do :; done\n", [NOUNSET], 1, None),
        (UNSET, [SOURCED], 1, None),
        (b"set -e\n. ./lib.sh\n", [SOURCED], 1, ("1", "-", "lib.sh", "-")),
        (UNSET, [TRAP, entry("make a", 4)], 1, None),
        (UNSET, [TRAP, entry("make a", 4)], 3, ("4", "make", "i.sh", "3")),
        (UNSET, [TRAP, SOURCED], 1, None),
        (b"ls a\n: >${DATA?}\n", [entry("ls a", 1), error(1, 1, flags="hxBE")], 1, None),
        (b"ls a\necho b\n", [entry("ls a", 1), error(1, 1, flags="hxBE")], 1, ("1", "ls", "i.sh", "1")),
        (b"set -u\nls a\necho $1\n", LAST, 1, None),
        (b"set -u\nls a\n", LAST, 1, ("2", "ls", "i.sh", "1")),
        (
            b"trap 'echo failed' ERR\n. ./lib.sh\nmake a\necho b\n",
            [TRAP, entry("make a", 3)],
            1,
            ("3", "make", "i.sh", "1"),
        ),
    ],
)
def test_what_ran_before_an_unset_variable_is_not_blamed_for_it(
    text: bytes, entries: list[bytes], code: int, place: tuple[str, ...] | None
) -> None:
    """bash then ends without an ERR trap, and writes nothing of the command with the variable."""
    texts = Texts([Look(b"./i.sh", text), Look(b"./lib.sh", b"A=1\n")])
    assert where(b"".join(entries), MAIN, code, texts) == place


BESIDE = b"""f() ( ls b )
( while :; do printf .; sleep 1; done ) &
spin() { sleep 1; }
spin &
ls a || exit 1
cp a b
(cd a; ls b) || exit 1
f || exit 1
turn() {
  sleep 1
  i=$((i + 1))
}
turn &
ls a | cat
echo b
"""
TURN = entry("sleep 1", 10, pid=8, calls="turn", at="13 0").replace(b"ehB", b"ehuB")


@pytest.mark.parametrize(
    ("entries", "place"),
    [
        (
            [entry("ls a", 5), entry("sleep 1", 2, pid=8), entry("exit 1", 5, status=2)],
            ("5", "-", "i.sh", "-"),
        ),
        (
            [
                entry("ls a", 5),
                entry("sleep 1", 3, pid=8, calls="spin", at="4 0"),
                entry("exit 1", 5, status=2),
            ],
            ("5", "-", "i.sh", "-"),
        ),
        (
            [TURN, entry("ls a", 14, pid=9), entry("cat", 14, pid=10), error(14, 1, "1 0")],
            ("14", "ls", "i.sh", "1"),
        ),
        # The script waited for these.
        (
            [entry("cp a b", 6), entry("ls b", 7, pid=8), entry("exit 1", 7, status=2)],
            ("7", "ls", "i.sh", "2"),
        ),
        (
            [entry("f", 8), entry("ls b", 1, pid=8, calls="f", at="8 0"), entry("exit 1", 8, status=2)],
            ("8", "ls", "i.sh", "2"),
        ),
    ],
)
def test_a_job_in_the_background_is_not_blamed_for_what_fails_beside_it(
    entries: list[bytes], place: tuple[str, ...]
) -> None:
    assert where(b"".join(entries), MAIN, 1, Texts([Look(b"./i.sh", BESIDE)])) == place


CLEANS = b"""set -e
cleanup() {
  rm -f x
}
trap 'echo failed' ERR
trap cleanup EXIT
main() {
  apt-get update
}
main
"""


@pytest.mark.parametrize("text", [b"#!/bin/bash\n" + CLEANS[len("set -e\n") :], CLEANS])
def test_what_an_exit_trap_does_in_a_function_is_not_blamed(text: bytes) -> None:
    """The ERR trap is not told of what fails in a function. bash says that this calls cleanup on line 1."""
    written = b"".join(
        [
            entry("trap 'echo failed' ERR", 5),
            entry("main", 10),
            entry("apt-get update", 8, calls="main", at="10 0"),
            entry("cleanup", 1, status=100, calls="main", at="10 0"),
            entry("rm -f x", 3, status=100, calls="cleanup main", at="1 10 0"),
        ]
    )
    assert where(written, MAIN, 100, Texts([Look(b"./i.sh", text)])) == ("8", "apt-get", "i.sh", "100")


@pytest.mark.parametrize("first", ["A=1", "A=1 umask 22", "export A=1", "export A[1]=1"])
def test_an_assignment_on_the_first_line_is_not_taken_for_an_exit_trap(first: str) -> None:
    """bash writes it by itself, also where it is a part of a command."""
    written = b"".join(
        [
            entry("A=1", 1),
            entry("trap 'echo failed' ERR", 5),
            entry("main", 10),
            entry("apt-get update", 8, calls="main", at="10 0"),
            entry("code=100", 1, status=100, calls="main", at="10 0"),
        ]
    )
    texts = Texts([Look(b"./i.sh", first.encode() + CLEANS.removeprefix(b"set -e"))])
    assert where(written, MAIN, 100, texts) == ("8", "apt-get", "i.sh", "100")


@pytest.mark.parametrize(
    "last",
    [
        [entry("apt-get update", 8, pid=8, calls="main", at="10 0")],
        [entry("return 7", 8, calls="main", at="10 0"), entry("echo failed", 10, status=7, depth=2)],
    ],
)
def test_what_ran_before_the_step_that_failed_in_a_function_is_not_blamed(last: list[bytes]) -> None:
    """In ( … ) or a | b another shell ran it; or the function returned 7, and then the ERR trap ran."""
    before = [
        entry("trap 'echo failed' ERR", 5),
        entry("main", 10),
        entry("ls a", 7, calls="main", at="10 0"),
    ]
    exits = [entry("cleanup", 1, status=7), entry("rm -f x", 3, status=7, calls="cleanup", at="1 0")]
    texts = Texts([Look(b"./i.sh", CLEANS)])
    assert where(b"".join([*before, *last, *exits]), MAIN, 7, texts) is None


@pytest.mark.parametrize("signals", ["ERR", "SIGINT SIGTERM ERR EXIT", "ERR EXIT", "EXIT err"])
def test_a_trap_of_the_script_for_err_and_other_signals_is_heeded(signals: str) -> None:
    text = b"set -eE\ntrap cleanup SIGINT SIGTERM ERR EXIT\ncleanup() {\n  rm -f x\n}\nmake a\n"
    written = b"".join(
        [
            entry(f"trap cleanup {signals}", 2),
            entry("make a", 6),
            entry("cleanup", 6, status=2, depth=2),
            entry("rm -f x", 4, status=2, depth=2, calls="cleanup", at="6 0"),
        ]
    )
    assert where(written, MAIN, 2, Texts([Look(b"./i.sh", text)])) == ("6", "make", "i.sh", "2")


@pytest.mark.parametrize(
    ("word", "name"),
    [
        (b"false", b"false"),
        (b"/usr/bin/apt-get", b"apt-get"),
        (b"./install.sh", b"install.sh"),
        (b"exit", b"-"),
        (b"[", b"-"),
        (b"-v", b"-"),
        (b"a b", b"-"),
        (b"x" * 65, b"-"),
        ("naïve".encode(), b"-"),
        (b"", b"-"),
    ],
)
def test_only_a_plain_program_is_named(word: bytes, name: bytes) -> None:
    assert programs.named(word) == name


@given(
    st.lists(
        st.sampled_from(
            [
                entry("curl a", 4),
                entry("die", 4, status=6),
                entry("exit 3", 2),
                error(3, 2),
                b"\6",
                b"\2x",
                b"\6\21\2\5\2",
            ]
        ),
        max_size=9,
    ),
    st.binary(max_size=30),
)
def test_no_record_whatever_it_says_breaks_it(entries: list[bytes], more: bytes) -> None:
    for data in (b"".join(entries) + more, more + b"".join(entries)):
        record.read(data)
        place = where(data, MAIN, 1, Texts([Look(b"./i.sh", TEXT)]))
        assert place is None or re.fullmatch(r"\d+", place[0])


def test_a_file_whose_name_has_a_blank_is_known_if_it_is_the_only_one() -> None:
    written = entry("grep z x", 3, calls="f", at="9 0").replace(b"./i.sh ./i.sh", b"./a b.sh ./a b.sh")
    assert record.read(written)[0].sources == (b"./a b.sh", b"./a b.sh")
    written = entry("grep z x", 3, calls="f", at="9 0").replace(b"./i.sh ./i.sh", b"./a b.sh ./c.sh")
    assert record.read(written)[0].sources == (b"", b"")


def test_a_script_whose_name_has_two_lines_has_no_name() -> None:
    """In the run file the second would be a line of its own, such as another end."""
    assert Place(b"/x/install\nended 1 1 exit 0", 3).written() == ("3", "-", "-", "-")
    assert Place(b"/x/install.sh", 3).written() == ("3", "-", "install.sh", "-")
