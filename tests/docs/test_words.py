"""A random id is a pseudonym: nothing that we ship calls the data anonymous."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = ("README.md", "docs/*.md", "systemd/*", "install/*.sh", "install/lib/*", "agent/**/*.py")
CLAIM = re.compile(r"(?<!not )(?<!\")\banonym(?:ous|ously|ity|ized)\b(?!\")", re.IGNORECASE)


def claims(text: str) -> list[str]:
    return [line for line in text.splitlines() if CLAIM.search(line)]


def test_nothing_says_that_the_data_is_anonymous() -> None:
    files = [path for place in PLACES for path in ROOT.glob(place) if path.is_file()]
    assert len(files) > len(PLACES)
    found = {str(path.relative_to(ROOT)): claims(path.read_text(errors="replace")) for path in files}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "place",
    [
        "README.md", "docs/telemetry.md", "docs/privacy.md", "agent/wrapper/person/notice.py",
        "agent/wrapper/person/questions.py", "systemd/rollcall.service", "systemd/rollcall-user.service",
    ],
)  # fmt: skip
def test_whoever_tells_of_the_id_says_that_it_is_a_pseudonym(place: str) -> None:
    assert "pseudonymous" in (ROOT / place).read_text()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Description=sends one anonymous event", 1),
        ("it is sent Anonymously", 1),
        ("the data is pseudonymous, not anonymous", 0),
        ("anonymousId", 0),
    ],
)
def test_the_search_finds_a_claim(text: str, count: int) -> None:
    assert len(claims(text)) == count
