import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wrapper.failure import place


def record(*fields: str) -> bytes:
    return b"".join(field.encode() + b"\0" for field in fields)


def failed(
    command: str, line: str = "2", *, status: str = "1", pipe: str = "1", caller: str = "", at: str = "0"
) -> bytes:
    return record("ERR", status, pipe, command, line, at, "main", "./install.sh", caller)


TEXT = b"set -e\ngrep z x\nX=1 psql\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (failed("grep z x"), ("2", "grep", "install.sh")),
        (failed("X=1 psql", "3"), ("3", "psql", "install.sh")),
        (failed("grep z x", "9"), ("-", "grep", "install.sh")),
        (failed("grep z x", "x"), ("-", "grep", "install.sh")),
        (failed("grep z x", pipe="1 0"), ("2", "-", "install.sh")),
        (failed("$x", "9"), None),
        (failed("cat nowhere", "7", caller="./other.sh", at="3"), ("7", "cat", "install.sh")),
        (failed("grep z x", status="2"), None),
        (record("EXIT", "1", "", "exit", "2", "0", "main", "install.sh", ""), ("2", "-", "install.sh")),
        (
            record("EXIT", "1", "", "exit", "2", "5", "die", "install.sh", "install.sh"),
            ("5", "-", "install.sh"),
        ),
        (record("EXIT", "1", "", "exit", "2", "5", "die", "main", "main"), ("5", "-", "-")),
        (b"", None),
        (b"ERR\0", None),
    ],
)
def test_a_line_is_exact_or_absent(data: bytes, expected: tuple[str, str, str] | None) -> None:
    assert place.where(data, 1, TEXT) == (expected and (*expected, "-"))


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("false", b"false"),
        ("/usr/bin/apt-get install x", b"apt-get"),
        ("PGPASSWORD=x psql -c 1", b"psql"),
        ('A=\'b c\' B="d \\" e" C=f\\ g make', b"make"),
        ("a[1]=2 ls", b"-"),
        ("$cmd x", b"-"),
        ("X=$(secret) ls", b"-"),
        ("'quoted name' x", b"-"),
        ("exit 3", b"-"),
        ("x" * 65, b"-"),
        ("naïve", b"-"),
        ("", b"-"),
    ],
)
def test_only_a_plain_program_is_named(command: str, name: bytes) -> None:
    assert place.program(command.encode()) == name


@given(st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\0", b"")), max_size=20), st.binary())
def test_no_report_whatever_it_says_breaks_it(fields: list[bytes], text: bytes) -> None:
    found = place.where(b"".join(field + b"\0" for field in [*fields, *[b"1"] * 9]), 1, text)
    assert found is None or len(found) == 4
