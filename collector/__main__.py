"""`python -m collector` and `rollcall-collector`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line, or say what is missing."""
    if sys.version_info < (3, 10):
        sys.stderr.write(
            "rollcall-collector: Python 3.10 or newer is needed, and this is {}.{}\n".format(
                *sys.version_info
            )
        )
        return 1
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
