"""Which files are shell, for shellcheck and shfmt."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

# testdata holds scripts that are wrong on purpose.
LEFT_OUT = {".git", ".venv", "node_modules", "build", "dist", "testdata"}
SHEBANG = re.compile(rb"#!\s*\S*/(?:env\s+)?(?:ba|da)?sh\b")


def scripts(root: Path) -> list[str]:
    """Return every shell script of the checkout, relative to its root, by suffix or first line."""
    return sorted(str(path.relative_to(root)) for path in files(root) if is_shell(path))


def files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f not in LEFT_OUT and not f.startswith(".venv")]
        yield from (Path(folder) / name for name in names)


def is_shell(path: Path) -> bool:
    if path.suffix in {".sh", ".bash"}:
        return True
    if path.suffix or not path.is_file() or path.is_symlink():
        return False
    with path.open("rb") as file:
        return SHEBANG.match(file.readline(80)) is not None
