"""No secret is left, whatever it is written as, and little else is replaced."""

import base64
import html
import json
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.bundle import redact
from agent.bundle.known import Known, host_values, is_trivial, looks_random, secret_values
from agent.bundle.redact import Leak, Redactor, find_leak
from agent.bundle.surroundings import variables_of
from tests.agent.bundle.corpus import ENCODINGS, make_corpus

CORPUS = make_corpus()
MOST_FALSE = 0.02


def test_the_corpus_has_300_lines_of_12_products_with_120_secrets_in_8_encodings() -> None:
    planted = [line for line in CORPUS.lines if line.secret]
    assert (len(CORPUS.lines), len(planted), len(ENCODINGS)) == (300, 120, 8)
    assert all(line.written in line.text for line in planted)


def test_no_planted_secret_of_the_corpus_is_left() -> None:
    redactor = Redactor(secret_values(CORPUS.variables.items()))
    text = "\n".join(redactor.redact([line.text for line in CORPUS.lines]))
    planted = [line for line in CORPUS.lines if line.secret]
    leaked = [line for line in planted if line.written in text or str(line.secret) in text]
    assert leaked == []
    assert sum(redactor.counts.values()) >= len(planted)


def test_less_than_2_percent_of_the_other_words_are_replaced() -> None:
    redactor = Redactor(secret_values(CORPUS.variables.items()))
    done = redactor.redact([line.text for line in CORPUS.lines])
    clean = [(line, after) for line, after in zip(CORPUS.lines, done) if not line.secret]
    words = [word for line, _ in clean for word in line.text.split()]
    lost = [word for line, after in clean for word in line.text.split() if word not in after.split()]
    assert len(lost) < MOST_FALSE * len(words), lost


def test_a_value_has_one_token_in_all_texts() -> None:
    known = secret_values([("DB_PASSWORD", "hunter2"), ("API_TOKEN", "0a1b2c3d")])
    first, second = Redactor(known).redact(["hunter2 0a1b2c3d", "x hunter2"])
    assert second == "x " + first.split()[0]
    assert len(set(first.split())) == 2


def test_a_value_that_is_no_utf8_is_replaced_too() -> None:
    """A variable holds an odd byte as half a surrogate, and the text of a log has a sign in its place."""
    latin = "pässwört-geheim".encode("latin-1")
    known = secret_values([("SMTP_PASS", latin.decode("utf-8", "surrogateescape"))])
    text = (b"signing in with " + latin).decode("utf-8", "replace")
    assert Redactor(known).redact([text]) == ["signing in with ‹secret-1›"]


def test_what_was_found_by_its_shape_is_found_elsewhere_by_its_value() -> None:
    first, second = Redactor([]).redact(["tried with hunter2", "DB_PASSWORD=hunter2"])
    assert first == "tried with ‹secret-1›"
    assert second == "DB_PASSWORD=‹secret-1›"


def test_host_names_addresses_and_users_are_replaced_as_whole_words() -> None:
    known = host_values(["web-7.example.net", "web-7"], ["192.0.2.7"], ["anna"])
    (text,) = Redactor(known).redact(["Web-7 192.0.2.7:80 192.0.2.70 /home/anna hannah root"])
    assert text == "‹host-1› ‹address-1›:80 192.0.2.70 /home/‹user-1› hannah root"


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("DB_PASSWORD", "hunter2", ["hunter2"]),
        ("DATABASE_URL", "postgres://shop:p4ss@db/shop", ["p4ss"]),
        ("REDIS_URL", "redis://:p4ss@cache:6379", ["p4ss"]),
        ("MONGO_URL", "mongodb://shop:p4%40ss@db/shop", ["p4%40ss", "p4@ss"]),
        ("BUILD", "3f2b8c1d0a4e9b7755aa01", ["3f2b8c1d0a4e9b7755aa01"]),
        ("WRITE_KEY_FILE", "/etc/key", []),
        ("PASSWORD", "on", []),
        ("TOKEN_SECONDS", "3600", []),
        ("IMAGE", "registry.example.org/shop/web:1.2.3", []),
        ("GREETING", "welcome to the shop", []),
    ],
)
def test_a_value_is_secret_by_its_name_or_because_it_looks_random(
    name: str, value: str, found: list[str]
) -> None:
    assert [known.value for known in secret_values([(name, value)])] == found


def test_every_value_of_docker_env_is_known_also_where_a_name_stands_twice() -> None:
    text = "DB_PASSWORD=first1\nDB_PASSWORD='second2'\nexport URL=http://shop:${DB_PASSWORD}@db\n"
    values = {known.value for known in secret_values(variables_of(text))}
    assert values == {"first1", "second2", "${DB_PASSWORD}"}


def test_a_path_and_a_version_do_not_look_random() -> None:
    assert not looks_random("/usr/share/shop/1a2b3c4d5e6f")
    assert looks_random("k3J9dQ2mX8vB5nZ7")


WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": str,
    "url": quote,
    "url, all of it": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 behind others": lambda text: base64.b64encode(b"ab:" + text.encode() + b"z").decode(),
    "base64 of URLs": lambda text: base64.urlsafe_b64encode(b"a" + text.encode()).decode(),
    "json": json.dumps,
    "json of the web": lambda text: json.dumps(text, ensure_ascii=False),
    "shell": shlex.quote,
    "html": html.escape,
    "hex": lambda text: text.encode().hex(),
}
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=4, max_size=40)


@given(value=VALUES.filter(lambda text: not is_trivial(text)), around=st.sampled_from(["", "x", " = ", "/"]))
def test_no_encoding_of_a_secret_of_docker_env_is_left(value: str, around: str) -> None:
    texts = [f"{around}{write(value)}{around}" for write in WRITTEN.values()]
    try:
        done = Redactor([Known(value, "secret", "DB_PASSWORD")]).redact(texts)
    except Leak:
        return  # nothing is sealed
    for write, text in zip(WRITTEN.values(), done):
        assert write(value).strip() not in text
        assert find_leak(text, [Known(value, "secret", "DB_PASSWORD")]) is None


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("value", ["hunter2", 'it\'s $5/day+"x"', "päss wörd", "a\nlong line of a secret"])
def test_no_usual_secret_makes_redacting_fail(value: str, written: str) -> None:
    (text,) = Redactor([Known(value, "secret", "DB_PASSWORD")]).redact([WRITTEN[written](value)])
    assert "‹secret-1›" in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pw=hunter2", "plain text"),
        ("h%75nter2", "a URL"),
        (r"h\u0075nter2", "JSON"),
        ("hun''ter2", "shell quoting"),
        ("hunt\ner2", "wrapped lines"),
        ("68756e74657232", "hexadecimal digits"),
        (base64.b64encode(b"abc hunter2 def").decode(), "base64"),
    ],
)
def test_what_is_left_in_any_encoding_stops_the_bundle(
    monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.setattr(redact, "replace_secret", lambda text, *_: (text, 0))
    redactor = Redactor([Known("hunter2", "secret", "DB_PASSWORD")])
    with pytest.raises(Leak, match=f"the value of DB_PASSWORD is still there, written as {words}") as leak:
        redactor.redact(["nothing here", text])
    assert "hunter2" not in str(leak.value)
