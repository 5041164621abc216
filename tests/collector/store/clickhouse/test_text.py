"""Values go to ClickHouse and come back to the letter, whatever strangers send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.store import StoreError
from collector.store.clickhouse.address import read_address
from collector.store.clickhouse.packing import read_request, without_email
from collector.store.clickhouse.text import NotStorableError, filled, read_rows, write_rows

HEAD = b"a\tb\tc\td\nString\tFixedString(16)\tInt64\tNullable(String)\n"


@given(st.text(), st.binary(min_size=16, max_size=16), st.integers(), st.none() | st.text())
def test_a_row_is_read_as_it_was_written(text: str, key: bytes, number: int, more: str | None) -> None:
    data = write_rows([(text, b"", number, more)])
    assert data.count(b"\n") == 1
    ((a, _, c, d),) = read_rows(HEAD + data)
    assert (a, c, d) == (text, number, more)
    shown = "".join(f"\\x{byte:02x}" for byte in key).encode()
    assert write_rows([(key,)]) == shown + b"\n"


@given(st.lists(st.text(), max_size=4))
def test_a_statement_may_be_filled_twice_whatever_was_filled_in(texts: list[str]) -> None:
    once = filled("a IN ?", [["", *texts]])
    assert "?" not in once
    assert filled(f"{once} AND b = ?", [7]) == f"{once} AND b = 7"


def test_a_place_without_a_value_is_refused() -> None:
    assert filled("a = ? AND b = ?", ["x'\\", b"\xff"]) == rf"a = 'x\'\\' AND b = '\xff{chr(92)}x00" + (
        "\\x00" * 14 + "'"
    )
    with pytest.raises(NotStorableError):
        filled("a = ?", [])
    with pytest.raises(NotStorableError):
        filled("a = ?", [1.5])


def test_a_request_without_its_address_keeps_its_reference() -> None:
    told = "\x02ada@example.org\0\x02a1b2\0"
    assert read_request(told) == ["ada@example.org", "a1b2"]
    assert read_request(without_email(told)) == [None, "a1b2"]
    assert without_email("") == ""


def test_an_address_has_defaults_and_a_password_that_nobody_sees() -> None:
    address = read_address("clickhouse://ada@ch1:9123/rollcall", "s3cret")
    assert (address.hosts, address.user, address.database) == ((("ch1", 9123),), "ada", "rollcall")
    assert (address.password, address.cluster) == ("s3cret", "")
    assert read_address("clickhouse://ch1/r").hosts == (("ch1", 8123),)
    assert "s3cret" not in repr(address)
    several = read_address("clickhouse://ada@ch1,[::1]:9123,ch3/rollcall?cluster=fleet")
    assert several.hosts == (("ch1", 8123), ("::1", 9123), ("ch3", 8123))
    assert several.cluster == "fleet"
    for wrong in (
        "clickhouse://ch1",
        "clickhouse://ch1/a-b",
        "http://ch1/rollcall",
        "clickhouse://ch1,/r",
        "clickhouse://ch1:http/r",
        "clickhouse://ch1/r?cluster=",
        "clickhouse://ch1/r?cluster=a-b",
        "clickhouse://ch1/r?quorum=2",
    ):
        with pytest.raises(StoreError, match="clickhouse://USER@HOST/DATABASE"):
            read_address(wrong)
