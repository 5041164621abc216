"""The picture of the demo shows the session that is recorded, and needs nothing from elsewhere."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

DOCS = Path(__file__).parents[2] / "docs"
PICTURE = DOCS / "images/demo.svg"
SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_is_drawn_from_the_session_as_it_is_now() -> None:
    command = [sys.executable, str(DOCS / "record.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), "run: python docs/record.py"


def test_the_picture_has_every_word_of_the_session_within_its_frame() -> None:
    picture = ET.parse(PICTURE).getroot()
    rows = list(picture.iter(f"{SVG}text"))
    shown = " ".join(row.text or "" for row in rows).split()
    assert shown == (DOCS / "sessions/demo.txt").read_text(encoding="utf-8").split()
    height = float(picture.attrib["viewBox"].split()[3])
    assert all(0 < float(row.attrib["y"]) < height for row in rows)


def test_the_picture_asks_nothing_of_anybody() -> None:
    text = PICTURE.read_text(encoding="utf-8")
    kinds = {node.tag.removeprefix(SVG) for node in ET.fromstring(text).iter()}
    assert kinds == {"svg", "title", "style", "rect", "text"}
    assert not any(word in text for word in ("href", "url(", "@import", "@font-face"))


def test_the_readme_shows_the_picture() -> None:
    assert "(docs/images/demo.svg)" in (DOCS.parent / "README.md").read_text(encoding="utf-8")
