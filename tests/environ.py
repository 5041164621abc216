"""Environments for the programs that tests start.

Give a child an explicit environment, never the developer's own: a DO_NOT_TRACK there would
silence what the test means to hear. Nothing of coverage's is in `bare`, so what is compared,
counted or timed meets no stranger; `covered` is for children whose lines should count.
"""

from __future__ import annotations

import os
import sys

COVERAGE = "COVERAGE_PROCESS_CONFIG"
PATH = os.pathsep.join(
    [os.path.dirname(sys.executable), "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"]
)


def bare(home: str | os.PathLike[str], **more: str) -> dict[str, str]:
    """Return PATH and HOME and what is named, nothing else."""
    return {"PATH": PATH, "HOME": os.fspath(home), **more}


def covered(home: str | os.PathLike[str], **more: str) -> dict[str, str]:
    """Return the same, with coverage going on in the child if it goes on here."""
    measured = {COVERAGE: os.environ[COVERAGE]} if COVERAGE in os.environ else {}
    return {**bare(home, **more), **measured}
