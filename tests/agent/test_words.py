from hypothesis import given
from hypothesis import strategies as st

from agent.words import plain


@given(st.text(st.characters()))
def test_whatever_others_wrote_is_one_harmless_line(text: str) -> None:
    assert plain(text).isprintable()


def test_what_is_harmless_stays() -> None:
    assert plain("/srv/Müller/docker.env:3") == "/srv/Müller/docker.env:3"
    assert plain("\x1b[2J\n\udcff") == "\\x1b[2J\\n\\udcff"
