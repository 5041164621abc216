"""The manual pages: complete, without a warning, and rendered as a person reads them."""

import re
import subprocess
from pathlib import Path

import pytest

from agent.config.envfile import env_file_places
from agent.config.settings import SETTINGS
from agent.events import catalogue
from collector.settings import PREFIX
from collector.settings import SETTINGS as COLLECTOR_SETTINGS
from docs import draw_man
from docs.commands import commands
from tests import environ

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / page for page in draw_man.PAGES]
OF_COMMANDS = [ROOT / page for page in draw_man.COMMANDS]
pytestmark = pytest.mark.once


def rendered(page: Path) -> subprocess.CompletedProcess[str]:
    """What `man` shows, in one long line for each paragraph."""
    command = ["man", "--warnings", "--nh", "--nj", "-l", str(page)]
    settings = environ.bare(page.parent, MANWIDTH="300", LC_ALL="C.UTF-8")
    return subprocess.run(command, capture_output=True, text=True, env=settings, check=True)


@pytest.mark.needs("man")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_neither_man_nor_mandoc_warns(page: Path, tmp_path: Path) -> None:
    def lint(file: Path) -> str:
        command = ["mandoc", "-Tlint", "-Wwarning", str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    assert rendered(page).stderr == ""
    assert lint(page) == ""
    spoiled = tmp_path / "spoiled.1"
    spoiled.write_text(page.read_text() + ".PP\n.XY\n")
    assert "XY" in rendered(spoiled).stderr
    assert "XY" in lint(spoiled)


@pytest.mark.needs("man")
def test_it_tells_an_operator_every_verb_option_setting_and_event() -> None:
    names = [[row.name for row in SETTINGS], [PREFIX + row.name for row in COLLECTOR_SETTINGS]]
    for page, settings in zip(OF_COMMANDS, names, strict=True):
        shown = rendered(page).stdout
        for command in commands(page.stem):
            words = [name for action in command.options() for name in action.option_strings]
            assert all(word in shown for word in [*command.verbs, *words] if word != "--version")
        assert all(name in shown for name in settings)
    agent = rendered(OF_COMMANDS[0]).stdout
    for kind in catalogue.CATALOGUE:
        assert f"Sent when {kind.meaning}." in agent
    for heading in ("TURN IT OFF", "SEE WHAT IS SENT", "FILES", "EXIT STATUS", "EXAMPLES"):
        assert f"\n{heading}\n" in agent


@pytest.mark.needs("man")
def test_the_page_of_docker_env_tells_every_setting_flag_and_place() -> None:
    shown = rendered(ROOT / "docs/man/docker.env.5").stdout
    settings = [row.name for row in SETTINGS if row.name != draw_man.ONLY_FROM_THE_ENVIRONMENT]
    assert all(f"\n       {name}\n" in shown for name in settings)
    assert all(name in shown for name in ("DO_NOT_TRACK", "DISABLE_TELEMETRY", "_DISABLE_TELEMETRY"))
    places = env_file_places({"HOME": "/home/me"}, name="NAME", cwd="/here")
    words = [place.replace("/here", ".").replace("/home/me", "~") for place in places]
    positions = [shown.rindex(word) for word in words]
    assert positions == sorted(positions)
    assert len(positions) == 3


def test_every_block_is_on_a_page_and_a_page_that_has_parted_is_drawn_again() -> None:
    texts = [page.read_text() for page in PAGES]
    marks = [name for text in texts for name in re.findall(r'\\" drawn: ([^,]+),', text)]
    assert sorted(marks) == sorted(draw_man.BLOCKS)
    for text in texts:
        spoiled = text.replace('\n.\\" end:', '\nsomething else\n.\\" end:')
        assert spoiled != text
        assert draw_man.filled(spoiled) == text


def test_a_line_that_roff_would_take_for_a_request_is_escaped() -> None:
    assert draw_man.roff(r".hidden -x \n") == r"\&.hidden \-x \en"


def test_a_link_of_a_table_is_its_words() -> None:
    assert (
        draw_man.roff("See [what is kept](collector.md#what-is-kept), [1] (or more)")
        == "See what is kept, [1] (or more)"
    )
