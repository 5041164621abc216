import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import values

URL_TEXT = string.ascii_letters + string.digits + "-._~/:[]%=&"


@given(st.integers(0, 366), st.sampled_from(["s", "m", "h", "d", ""]))
def test_a_duration_is_its_number_times_its_unit(number: int, unit: str) -> None:
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400, "": 1}[unit]
    assert values.parse_duration(f"{number}{unit}") == number * seconds


@given(st.text())
def test_a_duration_is_a_sane_number_or_an_error(text: str) -> None:
    try:
        seconds = values.parse_duration(text)
    except ValueError:
        return
    assert 0 <= seconds <= values.LONGEST
    assert text.isascii()
    assert text.rstrip("smhd").isdigit()


@pytest.mark.parametrize(
    "text", ["", "s", "-1", "1.5h", "6 h", "6H", "1w", "٣h", "1e3", "367d", "9" * 5000, "1hh"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        values.parse_duration(text)


@given(st.text(URL_TEXT, max_size=20), st.sampled_from(["http://", "https://", "HTTP://", "", "x://"]))
def test_whatever_endpoint_is_taken_is_one_that_can_be_posted_to(rest: str, scheme: str) -> None:
    try:
        endpoint = values.parse_endpoint(scheme + rest)
    except ValueError:
        return
    assert not endpoint or endpoint.startswith(("http://", "https://"))
    assert not endpoint.endswith("/")
    assert values.parse_endpoint(endpoint) == endpoint
