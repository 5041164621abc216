"""The collector deploys alone."""

from __future__ import annotations

import ast
from pathlib import Path

COLLECTOR = Path(__file__).parents[2] / "collector"


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_nothing_of_the_agent_is_imported() -> None:
    modules = list(COLLECTOR.rglob("*.py"))
    assert any("collector" in imported(module) for module in modules)
    assert not [module for module in modules if "agent" in imported(module)]
