"""The tests of the HTTP parser with the oldest httptools that pyproject.toml allows.

The others run with the newest. Which requests are refused, and where one ends, is up to the parser.
"""

import re
from pathlib import Path

from tests.runner.steps import Progress

PARSER = "httptools"
TESTS = ["tests/collector/serve/test_parser.py", "tests/collector/serve/test_exchange.py"]


def lowest(root: Path, package: str) -> str:
    """Return the lower bound in pyproject.toml."""
    found = re.search(rf'"{package}>=([^",]+)', (root / "pyproject.toml").read_text())
    if found is None:
        raise LookupError(f"pyproject.toml has no lower bound for {package}")
    return found[1]


def check_oldest_parser(progress: Progress, python: str) -> None:
    """Install it beside the environment, and run the tests with it."""
    version, folder = lowest(progress.root, PARSER), str(progress.root / "build" / "oldest")
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", folder]
    progress.quietly(f"{PARSER} {version}", [*pip, f"{PARSER}=={version}"])
    inside = ["env", f"PYTHONPATH={folder}", python]
    check = f"import {PARSER}; assert {PARSER}.__version__ == '{version}'"
    progress.quietly(f"it is {version} that is tested", [*inside, "-c", check])
    progress.quietly(f"tests with {PARSER} {version}", [*inside, "-m", "pytest", "-q", *TESTS])
