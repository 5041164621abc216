"""Times as clients write them."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.base.times import EARLIEST, corrected, read_time, write_time

AT = 1_795_168_800_000  # 2026-11-20T10:00:00Z


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-20T10:00:00.000Z", AT),
        ("2026-11-20t10:00:00z", AT),
        ("2026-11-20T10:00:00+00:00", AT),
        ("2026-11-20T12:00:00+0200", AT),
        ("2026-11-20T05:00:00-05", AT),
        ("2026-11-20 10:00:00", AT),
        ("2026-11-20T10:00:00.1234567Z", AT + 123),
        ("2026-11-20T10:00:00.123456789+00:00", AT + 123),
        ("2026-11-20T10:00:00,5Z", AT + 500),
        (AT, AT),
        (AT / 1000, AT),
        ("", None),
        ("soon", None),
        ("2026-13-40T10:00:00Z", None),
        (None, None),
        (True, None),
        ({}, None),
        (1e300, None),
    ],
)
def test_a_time_is_read_as_clients_write_it(written: object, expected: int | None) -> None:
    assert read_time(written) == expected


@given(st.integers(EARLIEST, 4_000_000_000_000))
def test_a_time_that_was_written_is_read_again(at: int) -> None:
    assert read_time(write_time(at)) == at
    assert (
        datetime.fromisoformat(write_time(at)[:-1] + "+00:00").astimezone(timezone.utc).timestamp()
        == at / 1000
    )


@given(st.text(max_size=40) | st.integers() | st.floats() | st.binary())
def test_anything_is_a_time_or_none(written: object) -> None:
    assert read_time(written) is None or isinstance(read_time(written), int)


def test_nothing_happens_after_it_was_received_nor_before_there_were_clocks() -> None:
    assert corrected(AT, None, None) == AT
    assert corrected(AT, AT + 500, AT + 100) == AT - 400
    assert corrected(AT, None, AT + 1) == AT
    assert corrected(AT, AT, 0) == AT
