"""What a child answers the daemon: one line of JSON on stdout.

The daemon starts four kinds of children, and each prints exactly one such line:

    flush --report --budget 0    check: decide, erase what waits if silent, take in finished runs,
                                 and send nothing; at start, on SIGHUP, after an edit
    flush --report               deliver what waits; when `retryIn` has passed
    flush --report --budget 0 --feed   a check that also asks for the release feed; once a day
    beat --report --slot N       record slot N once if alive and allowed, then deliver; when due

    {"sending": bool, "rule": text, "source": text|null,        the decision
     "alive": bool|null,                                       null: not asked
     "recorded": bool,                                         slot N is on disk, now or before
     "waiting": number, "retryIn": seconds|null,               null: nothing to send or erase again
     "lastBeat": ISO time|null, "lastError": text|null,
     "interval": s, "firstDelay": s, "jitter": s,
     "feedIn": seconds|null,                                   null: the release feed is not asked for
     "feedProblem": text|null, "critical": text|null,          of the feed; advisories for this version
     "stateDir": path,
     "files": [[path, device, inode, size, mtime_ns] or [path, null], ...]}

`files` are all places where a docker.env was looked for. The daemon compares them with what it
sees, to notice an edit without reading the file. A setting that does not parse is one line on
stderr and exit 2, and no answer.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from agent.base.files import FileStamp


class ChildAnswer(NamedTuple):
    """The line, parsed."""

    sending: bool
    rule: str
    source: str | None
    alive: bool | None
    recorded: bool
    waiting: int
    retry_in: float | None
    last_beat: str | None
    last_error: str | None
    interval: float
    first_delay: float
    jitter: float
    feed_in: float | None
    feed_problem: str | None
    critical: str | None
    state_dir: str
    files: list[FileStamp]


def answer_line(answer: ChildAnswer) -> str:
    """The line, without its end."""
    data = answer._asdict()
    return json.dumps({_camel(key): value for key, value in data.items()})


def parse_answer(line: bytes) -> ChildAnswer | None:
    """The answer in `line`, or None if it is not one."""
    try:
        data = json.loads(line)
        return ChildAnswer(**{key: data[_camel(key)] for key in ChildAnswer._fields})
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _camel(key: str) -> str:
    head, *rest = key.split("_")
    return head + "".join(word.capitalize() for word in rest)
