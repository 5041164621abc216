"""Print a requirements file that holds each of a directory's wheels to its version and hash."""

import hashlib
import sys
from collections import defaultdict
from pathlib import Path


def lock(wheels: list[Path]) -> str:
    found = defaultdict(list)
    for wheel in sorted(wheels):
        name, version = wheel.name.split("-")[:2]
        found[f"{name.lower().replace('_', '-')}=={version}"].append(wheel)
    lines = ["# Made by install/packaging: what is installed, and nothing else."]
    for requirement, files in found.items():
        hashes = sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)
        lines.append(" \\\n    ".join([requirement, *(f"--hash=sha256:{value}" for value in hashes)]))
    return "\n".join(lines)


if __name__ == "__main__":
    print(lock(list(Path(sys.argv[1]).glob("*.whl"))))
