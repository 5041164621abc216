"""The agent's verbs, each in a process of its own as an operator would start it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from tests.wait import PATIENCE

AGENT = (sys.executable, "-I", "-m", "agent")


def run_verb(
    *words: str, env: Mapping[str, str], cwd: str | os.PathLike[str], prefix: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end, behind a prefix such as strace; the caller judges its exit code."""
    return subprocess.run(
        [*prefix, *AGENT, *words],
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
