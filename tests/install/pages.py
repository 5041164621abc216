"""The commands on a page of the docs."""

import re

from tests.install.scripts import CHECKOUT


def blocks_below(page: str, heading: str) -> list[str]:
    """The blocks of commands below a heading, whose number may be left out."""
    text = (CHECKOUT / "docs" / page).read_text()
    section = re.split(rf"^## (?:\d\. )?{re.escape(heading)}\n", text, flags=re.MULTILINE)[1].partition(
        "\n## "
    )[0]
    found: list[str] = re.findall(r"```(?:sh|yaml)\n(.*?)```", section, re.DOTALL)
    assert found, heading
    return found
