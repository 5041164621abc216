"""`python -m collector` and `rollcall-collector`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line, or say which package is missing."""
    try:
        from collector.cli import main as run_verb
    except ModuleNotFoundError as error:
        sys.stderr.write(
            f"rollcall-collector: {error.name} is missing; run: pip install 'rollcall-telemetry[collector]'\n"
        )
        return 1
    return run_verb()


if __name__ == "__main__":
    sys.exit(main())
