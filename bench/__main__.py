"""List the benches, or run them by name."""

import importlib
import pkgutil
import sys
from collections.abc import Sequence

import bench

HELPERS = {"__main__", "compare", "delay", "filling", "load"}


def names() -> list[str]:
    found = (module.name for module in pkgutil.iter_modules(bench.__path__))
    return sorted(name for name in found if name not in HELPERS)


def main(argv: Sequence[str]) -> int:
    """Run `NAME [ARGUMENTS]`; without a name, say which there are."""
    if not argv:
        print("python -m bench NAME, one of:", *names(), sep="\n  ")
        return 0
    name, *rest = argv
    if name not in names():
        print(f"bench: no {name!r}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    code: int = importlib.import_module(f"bench.{name}").main(rest)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
