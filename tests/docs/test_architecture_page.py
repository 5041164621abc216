"""docs/architecture.md is a map of the tree as it is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def test_every_place_on_the_map_exists() -> None:
    named = set(re.findall(r"`((?:agent|collector|tests|install|systemd|docs)/[^` ]*)`", PAGE))
    assert len(named) > 40
    assert sorted(place for place in named if not (ROOT / place).exists()) == []


def test_every_room_is_on_the_map() -> None:
    rooms = {
        folder.parent for side in ("agent", "collector") for folder in (ROOT / side).glob("*/__init__.py")
    }
    assert len(rooms) > 10
    assert (
        sorted(
            str(room.relative_to(ROOT)) for room in rooms if f"| `{room.relative_to(ROOT)}/` |" not in PAGE
        )
        == []
    )


def test_every_test_that_a_recipe_names_exists() -> None:
    source = "".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 8
    assert sorted(test for test in named if f"def {test}(" not in source) == []


def test_every_class_that_the_page_names_exists() -> None:
    sources = (file for side in ("agent", "collector") for file in (ROOT / side).rglob("*.py"))
    classes = {
        name for file in sources for name in re.findall(r"^class (\w+)", file.read_text(), re.MULTILINE)
    }
    named = set(re.findall(r"`((?:[A-Z][a-z]+)+)`", PAGE)) - {"Dialect"}
    assert len(named) > 5
    assert named - classes == set()


@pytest.mark.parametrize("side", ["agent", "collector"])
def test_the_rooms_stand_in_the_order_that_imports_are_held_to(side: str) -> None:
    contracts = (ROOT / "pyproject.toml").read_text()
    layers = re.search(rf'containers = \["{side}"\]\nlayers = \[(.*?)\]', contracts, re.DOTALL)
    assert layers
    depth = {
        room: at for at, level in enumerate(re.findall(r'"(.+?)"', layers[1])) for room in level.split(" | ")
    }
    shown = re.findall(rf"^\| `{side}/(\w+)(?:/|\.py)` \|", PAGE, re.MULTILINE)
    assert len(shown) > 5
    assert shown == sorted(shown, key=depth.__getitem__)
