"""`python -m agent` and the command `rollcall`."""

from __future__ import annotations

import sys


def main() -> int:
    """Go the light way for wrap and daemon, the ordinary one for all else."""
    from agent.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
