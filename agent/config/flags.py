"""Flags: the variables by which a user refuses, and what their values mean.

Part of the boot path of `wrap`: it imports nothing.
"""

from __future__ import annotations

FLAGS = frozenset({"DO_NOT_TRACK", "DISABLE_TELEMETRY"})
MEANS_ON = frozenset({"", "0", "false", "no", "off"})
"""The only values of a flag that do not silence, in any case, spaces around them ignored."""
SPACES = " \t\r\n\v\f"
"""What is ignored around a value. A no-break space only looks like one, and is doubt."""
QUOTES = "'\""
"""What a docker.env may put around a name."""


def is_flag(name: str, value: str | None = "") -> bool:
    """Whether this variable is a refusal, whichever product it was meant for.

    A line of docker.env without a value (None) needs only to contain a flag's name.
    """
    return name in FLAGS or name.endswith("_DISABLE_TELEMETRY") or (value is None and _mentions_flag(name))


def silences(value: str) -> bool:
    """Whether a flag of this value means off. Anything that is not plainly "no" does."""
    return value.strip(SPACES).lower() not in MEANS_ON


def is_garbled(name: str, text: str) -> bool:
    """Whether a flag was meant, but a shell would not read one.

    Either the name is no variable's (`DO_NOT_TRACK+=1`), or the value has several lines (all of
    `text`), and one of them looks like a flag.
    """
    odd = _mentions_flag(name) and not (name.isascii() and name.isidentifier())
    return odd or any(_mentions_flag(line.partition("=")[0]) for line in text.strip().splitlines()[1:])


def _mentions_flag(text: str) -> bool:
    return "DISABLE_TELEMETRY" in text or "DO_NOT_TRACK" in text
