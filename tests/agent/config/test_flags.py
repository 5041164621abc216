import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import flags

NO = ["", "0", "false", "no", "off"]


def mixed_case(text: str) -> st.SearchStrategy[str]:
    return st.tuples(*(st.sampled_from([c.lower(), c.upper()]) for c in text)).map("".join)


spaces = st.text(flags.SPACES, max_size=4)


@given(st.sampled_from(NO).flatmap(mixed_case), spaces, spaces)
def test_the_five_no_spellings_mean_on_in_any_case_with_spaces_around(
    word: str, before: str, after: str
) -> None:
    assert not flags.silences(before + word + after)


@given(st.text())
def test_everything_else_silences(text: str) -> None:
    plainly_no = text.strip(" \t\r\n\v\f").lower() in NO
    assert flags.silences(text) is not plainly_no


@pytest.mark.parametrize(
    "value", ["n", "f", "nein", "00", "-0", "0.0", "'0'", "falsy", "\xa00", "no\u200b", "\uff10"]
)
def test_what_merely_looks_like_no_silences(value: str) -> None:
    assert flags.silences(value)


@given(st.text(st.characters(codec="ascii", exclude_characters="\0=")))
def test_a_variable_is_a_flag_only_by_its_exact_name(name: str) -> None:
    expected = name in ("DO_NOT_TRACK", "DISABLE_TELEMETRY") or name.endswith("_DISABLE_TELEMETRY")
    assert flags.is_flag(name) is expected


@pytest.mark.parametrize("name", ["export X_DISABLE_TELEMETRY_", "DO_NOT_TRACK:"])
def test_a_line_without_a_value_is_a_flag_as_soon_as_it_names_one(name: str) -> None:
    assert flags.is_flag(name, None)
    assert not flags.is_flag(name, "1")


@pytest.mark.parametrize(
    ("name", "text", "garbled"),
    [
        ("DO_NOT_TRACK", "DO_NOT_TRACK=1\n", False),
        ("DO_NOT_TRACK+", "DO_NOT_TRACK+=1\n", True),
        ("A", "\nA=DO_NOT_TRACK\n", False),
        ("A", "A='x\nDO_NOT_TRACK=1\n'\n", True),
    ],
)
def test_a_flag_that_a_shell_would_not_read_is_garbled(name: str, text: str, *, garbled: bool) -> None:
    assert flags.is_garbled(name, text) is garbled
