"""What the body of a 200 says about single events: which of a batch the receiver will never take.

Anybody may have written it. Only a short code gets from here to a log or a terminal.
"""

from __future__ import annotations

import json
import re

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,40}")
NO_CODE = "no reason given"


def rejected_in(body: bytes, count: int) -> dict[int, str]:
    """The places of rejected events in a batch of so many, each with the reason; empty if it says nothing.

    What is not understood is passed over: then the head alone counts.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    listed = answer.get("rejected") if isinstance(answer, dict) else None
    found: dict[int, str] = {}
    for one in listed if isinstance(listed, list) else ():
        index = one.get("index") if isinstance(one, dict) else None
        if type(index) is int and 0 <= index < count:
            found[index] = _code(one.get("code"))
    return found


def _code(code: object) -> str:
    return code if isinstance(code, str) and _CODE.fullmatch(code) else NO_CODE
