"""`python -m collector` and `rollcall-collector`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; says so in a line where the extra is not installed."""
    try:
        from collector.cli import main as run
    except ModuleNotFoundError as error:
        sys.stderr.write(
            f"rollcall-collector: {error.name} is missing; pip install 'rollcall-telemetry[collector]'\n"
        )
        return 1
    return run()


if __name__ == "__main__":
    sys.exit(main())
