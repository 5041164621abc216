"""A wrap within a wrap: the outer one reports.

Nothing in CMD's environment may tell that it is wrapped, so the inner wrapper looks for a live
run file whose process is an ancestor of its own.
"""

from __future__ import annotations

import os

from agent.base import processes
from agent.runs.write import SUFFIX


def inside_another_run(run_files: list[str]) -> bool:
    """Whether one of these run files belongs to an ancestor of ours."""
    boot = processes.boot_id()
    family = {(boot, pid, start) for pid, start in processes.ancestors()}
    return any(_belongs(path, family) for path in run_files if path.endswith(SUFFIX))


def _belongs(path: str, family: set[tuple[str, int, int]]) -> bool:
    from agent.runs.parse import open_run_file, read_run

    handle = open_run_file(path)
    if handle is None:
        return False
    try:
        report = read_run(handle)
    finally:
        os.close(handle)
    return report is not None and report.wrapper in family
