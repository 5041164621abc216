# ruff: noqa: INP001 - a script of its own
"""Draw docs/images/demo.svg: the demo's session, docs/sessions/demo.txt, as a picture of a terminal.

`python docs/record.py` draws it; `--check` only compares. The session is recorded by
`python -m tests.install.sessions`.
"""

import re
import sys
from pathlib import Path
from xml.sax.saxutils import escape

DOCS = Path(__file__).parent
SESSION, PICTURE = DOCS / "sessions/demo.txt", DOCS / "images/demo.svg"

COLUMNS = 110
INDENT = "    "
CHARACTER, LINE, MARGIN = 7.8, 18, 16
# One dark ground, so that it reads the same on a light and on a dark page.
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="title">
<title id="title">The demo in a terminal</title>
<style>
text {{ font: 13px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace }}
text {{ fill: #d5d9e0; white-space: pre }}
.typed {{ fill: #ffffff; font-weight: bold }}
.heading {{ fill: #f2c55c; font-weight: bold }}
.vendor {{ fill: #7fd1a0 }}
</style>
<rect width="100%" height="100%" rx="8" fill="#16191f"/>
"""
KINDS = {
    r"\$ |operator\$ ": "typed",
    r"\d\. ": "heading",
    r"vendor( →|:)": "vendor",
}


def kind_of(line: str) -> str:
    """The class of a line in the picture, or empty."""
    return next((kind for start, kind in KINDS.items() if re.match(start, line)), "")


def rows_of(line: str) -> list[str]:
    """A line as a terminal of that width shows it, but broken between words."""
    rows = [""]
    for word in re.findall(r"\s*\S+", line):
        if len(rows[-1] + word) > COLUMNS and rows[-1]:
            rows.append(INDENT + word.lstrip())
        else:
            rows[-1] += word
    return rows


def drawing(session: str) -> str:
    """The session as SVG: text alone, without fonts or scripts from elsewhere."""
    rows = [(row, kind_of(line)) for line in session.rstrip().split("\n") for row in rows_of(line)]
    width, height = round(COLUMNS * CHARACTER) + 2 * MARGIN, len(rows) * LINE + 2 * MARGIN
    parts = [HEAD.format(width=width, height=height)]
    for n, (row, kind) in enumerate(rows, 1):
        if row:
            marked = f' class="{kind}"' if kind else ""
            y = MARGIN + n * LINE - 4
            parts.append(f'<text x="{MARGIN}" y="{y}" xml:space="preserve"{marked}>{escape(row)}</text>\n')
    return "".join([*parts, "</svg>\n"])


def main(argv: list[str]) -> int:
    """Draw, or with --check say whether the picture differs from the session."""
    drawn = drawing(SESSION.read_text(encoding="utf-8"))
    if PICTURE.exists() and PICTURE.read_text(encoding="utf-8") == drawn:
        return 0
    name = PICTURE.relative_to(DOCS.parent)
    print(f"{name} differs from the session" if argv else f"drawn: {name}")
    if not argv:
        PICTURE.write_text(drawn, encoding="utf-8")
    return 1 if argv else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
