"""The C half of `signal`: the same functions on plain integers.

`signal` itself wraps them in enums, whose import costs more than all of the wrapper's boot path, and
100 KiB of a resident process.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import *  # noqa: F403
else:
    from _signal import *  # noqa: F403
