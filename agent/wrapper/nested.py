"""A wrap within a wrap: the outer one reports.

Nothing in CMD's environment may tell that it is wrapped, so the inner wrapper looks for a live
run file whose process is an ancestor of its own.
"""

from __future__ import annotations

import os

from agent.base import processes
from agent.runs.write import SUFFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.base.statedir import StateDir


def inside_another(state: StateDir) -> bool:
    """Whether an ancestor of ours reports to this state directory already."""
    files = [path for path in state.run_files() if path.endswith(SUFFIX)]
    if not files:
        return False
    family = set(processes.ancestors())
    boot = processes.boot_id()
    return any(_belongs(path, boot, family) for path in files)


def _belongs(path: str, boot: str, family: set[tuple[int, int]]) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        head = os.read(fd, 4096).decode("utf-8", "replace").split("\n")
    finally:
        os.close(fd)
    fields = dict(line.split(" ", 1) for line in head if " " in line)
    pid, _, start = fields.get("pid", "").partition(" ")
    if fields.get("boot") != boot or not (pid.isdecimal() and start.isdecimal()):
        return False
    return (int(pid), int(start)) in family
