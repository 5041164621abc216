"""Every sentence of the public page that claims something names the test that proves it.

In the page's source a mark follows each sentence, `<!-- test_a test_b -->`, but not those of NO_CLAIMS.
"""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/telemetry.md"
NO_CLAIMS = (
    "This page is for you who run the software.",
    "It says what leaves your server, how to see it, and how to stop it.",
    "It also says what a receiver can learn all the same.",
    "The receiver, and every proxy on the way, sees where it came from.",
    "For another receiver you have only its vendor's word.",
    "From then on it links the instance id to you, and so every event of this instance before and after.",
    "It may not have kept it: Segment, for one, accepts events even to a wrong write key.",
)
"""What says nothing of Rollcall: of the page itself, of networks, and of others."""
DRAWN = re.compile(r"<!-- drawn: ([^,]+),.*?<!-- end: \1 -->", re.DOTALL)
"""A block that docs/draw.py makes of the code's own tables; test_docs.py compares it."""
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
HEADING, BULLET = re.compile(r"^#.*$", re.MULTILINE), re.compile(r"^- ", re.MULTILINE)
LEAD = re.compile(r"\*\*[^*]+\*\*")
MARK = re.compile(r"<!--(.*?)-->", re.DOTALL)
END = re.compile(r"(?<=\.)\s+(?=[A-Z`])|\n\s*\n")
"""Where one sentence ends and the next begins."""


def claims(page: str) -> list[tuple[str, list[str]]]:
    """Each sentence of the page with the tests that it names."""
    text = HEADING.sub("", CODE.sub("", DRAWN.sub("", page)))
    text = BULLET.sub("", LEAD.sub("", text))
    found: list[tuple[str, list[str]]] = []
    *marked, rest = MARK.split(text)
    for words, mark in zip(marked[::2], marked[1::2], strict=True):
        *plain, claim = sentences(words)
        found += [(sentence, []) for sentence in plain]
        found.append((claim, mark.split()))
    return found + [(sentence, []) for sentence in sentences(rest)]


def sentences(text: str) -> list[str]:
    plain = (" ".join(sentence.split()) for sentence in END.split(text))
    return [sentence for sentence in plain if sentence and sentence not in NO_CLAIMS]


@functools.cache
def known_tests() -> set[str]:
    """Every test of this project that an ordinary run has."""
    found = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
                marks = {ast.unparse(decorator) for decorator in node.decorator_list}
                found |= set() if "pytest.mark.slow" in marks else {node.name}
    return found


def unproven(page: str, known: set[str]) -> list[str]:
    """The sentences that no test of ours proves."""
    return [sentence for sentence, tests in claims(page) if not tests or not known.issuperset(tests)]


def test_every_claim_of_the_page_names_a_test() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert unproven(page, known_tests()) == []
    whole = " ".join(MARK.sub("", page).split())
    assert [sentence for sentence in NO_CLAIMS if sentence not in whole] == []


@pytest.mark.parametrize(
    "planted",
    [
        "Rollcall sends nothing on Sundays.",
        "Rollcall sends nothing on Sundays. <!-- -->",
        "Rollcall sends nothing on Sundays. <!-- test_that_nobody_wrote -->",
        "Rollcall sends nothing on Sundays. `rollcall log` shows it. <!-- test_it_stops_at_once -->",
        "- **Sundays.** Rollcall sends nothing then.",
        "Rollcall sends nothing:",
    ],
)
def test_a_claim_without_a_test_is_found(planted: str) -> None:
    page, known = PAGE.read_text(encoding="utf-8"), known_tests()
    for place in ("## Stop it\n", "## When it fails\n"):
        assert len(unproven(page.replace(place, f"{place}\n{planted}\n\n"), known)) == 1
    assert len(unproven(f"{page}\n{planted}\n", known)) == 1
