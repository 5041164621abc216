"""Docs say what the code does: drawn blocks, every verb, option and setting, and an example that parses."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from agent.config.consent import RULES
from agent.config.settings import SETTINGS
from agent.events import catalogue
from agent.outbox import bounds
from agent.wrapper.options import HELP
from tests.agent.world import World

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw", ROOT / "docs" / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_drawn_is_as_the_tables_say() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs/draw.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), "run: python docs/draw.py"


def test_a_page_that_has_parted_is_noticed(draw: ModuleType) -> None:
    for page in draw.PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        assert draw.filled(text) == text
        spoiled = re.sub(r"\n(?=<!-- end:)", "\nsomething else\n", text)
        assert spoiled != text
        assert draw.filled(spoiled) == text


def test_every_block_is_on_a_page_and_every_mark_is_drawn(draw: ModuleType) -> None:
    marks = [
        name for page in draw.PAGES for name in re.findall(r"<!-- drawn: ([^,]+),", (ROOT / page).read_text())
    ]
    assert sorted(marks) == sorted(draw.BLOCKS)


def test_every_event_property_rule_and_bound_is_on_the_public_page() -> None:
    page = (ROOT / "docs/telemetry.md").read_text()
    for kind in catalogue.CATALOGUE:
        assert f"### {kind.name}\n" in page
        assert all(f"| `{prop.name}` | {prop.type} |" in page for prop in kind.properties)
    for rule in RULES:
        assert f"| `{rule}` |" in page
    assert f"{bounds.KEEP_SECONDS // 86400} days" in page
    for sample in re.findall(r"```json\n(.*?)```", page, re.DOTALL):
        event = json.loads(sample)
        assert all(f"`{name}`" in page for name in (*event["properties"], "anonymousId", "context.ip"))


@pytest.mark.parametrize(
    "honest",
    [
        "a connection has one",
        "even to a wrong write key",
        "`rollcall forget` deletes the id, and the next one cannot be linked to it",
        "HTTPS_PROXY",
        "os-release",
    ],
)
def test_the_public_page_is_honest(honest: str) -> None:
    assert honest in " ".join((ROOT / "docs/telemetry.md").read_text().split())


def test_every_verb_and_option_has_words_in_help_and_docs(draw: ModuleType) -> None:
    page = (ROOT / "docs/verbs.md").read_text()
    for name, verb in draw.verbs().items():
        assert f"### {name}\n" in page
        for action in draw.shown(verb):
            assert action.help, f"{name}: {action.dest} has no help"
            assert name != "wrap" or action.help in HELP, "wrap has a help of its own, which starts fast"
            assert draw.option(action) in page


def test_every_setting_is_in_docs_and_example_and_none_else() -> None:
    page, example = (ROOT / "docs/settings.md").read_text(), (ROOT / "docker.env.example").read_text()
    names = {setting.name for setting in SETTINGS}
    assert names <= set(re.findall(r"ROLLCALL_[A-Z_]+", page))
    in_example = set(re.findall(r"ROLLCALL_[A-Z_]+", example)) - {"ROLLCALL_DISABLE_TELEMETRY"}
    assert in_example == names - {"ROLLCALL_ENV_FILE"}  # which can only come from the environment


def test_the_example_as_it_is_parses_to_sending_with_every_default(world: World) -> None:
    world.env_file((ROOT / "docker.env.example").read_text())
    assert world.situation.decision.sending
    assert world.situation.settings.sources == {}


def test_the_example_with_every_setting_taken_in_parses_to_the_same(world: World) -> None:
    example = (ROOT / "docker.env.example").read_text()
    settings = re.sub(r"^#(ROLLCALL_(?!DISABLE)\w+=)", r"\1", example, flags=re.MULTILINE)
    world.env_file(settings)
    assert world.situation.decision.sending
    assert world.situation.settings.interval == 6 * 3600
    for flag in re.findall(r"^#(\w*(?:DISABLE_TELEMETRY|NOT_TRACK))=true", example, re.MULTILINE):
        world.env_file(settings.replace(f"#{flag}=", f"{flag}="))
        assert not world.situation.decision.sending
