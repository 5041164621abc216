"""`python -m agent` and the command `rollcall`."""

from __future__ import annotations

import sys


def main() -> int:
    """Go the light way for what lasts long, the ordinary one for all else."""
    try:
        if sys.argv[1:2] == ["wrap"]:
            from agent.wrapper.boot import main as wrap

            return wrap(sys.argv[2:])
        if sys.argv[1:2] == ["daemon"]:
            from agent.heartbeat.daemon import main as daemon

            return daemon(sys.argv[2:])
        if sys.argv[1:3] == ["flush", "--retry"]:
            from agent.verbs.retry import main as retry

            return retry(sys.argv[3:])
        from agent.cli import main as verb

        return verb(sys.argv[1:])
    except KeyboardInterrupt:  # before there is anything that could be interrupted
        return 130


if __name__ == "__main__":
    sys.exit(main())
