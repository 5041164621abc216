import io

from hypothesis import given
from hypothesis import strategies as st

from agent.base.words import plain, say


@given(st.text(st.characters()))
def test_whatever_others_wrote_is_one_harmless_line(text: str) -> None:
    assert plain(text).isprintable()


def test_what_is_harmless_stays() -> None:
    assert plain("/srv/Müller/docker.env:3") == "/srv/Müller/docker.env:3"
    assert plain("\x1b[2J\n\udcff") == "\\x1b[2J\\n\\udcff"


def test_a_line_is_one_harmless_line_whatever_it_names() -> None:
    said = io.StringIO()
    say("\x1b[2J/docker.env\nrollcall: all is well", said)
    assert said.getvalue() == "rollcall: \\x1b[2J/docker.env\\nrollcall: all is well\n"
