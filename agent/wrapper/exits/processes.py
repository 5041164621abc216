"""What the kernel told of a script's processes, as a tree."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.exits.taskstats import Exit


class Process:
    """One process that ended, and its children, in the order of their ends."""

    __slots__ = ("children", "forked", "name", "status")

    def __init__(self, gone: Exit, children: list[Process]) -> None:
        self.name = gone.name
        self.status = gone.status
        self.forked = gone.forked
        """Whether it never became another program: a subshell."""
        self.children = children


def tree(exits: list[Exit]) -> Process:
    """The last one, with all that it started."""
    waiting: dict[int, list[Process]] = {}
    for gone in exits:
        process = Process(gone, waiting.pop(gone.pid, []))
        waiting.setdefault(gone.parent, []).append(process)
    return waiting[exits[-1].parent][-1]
