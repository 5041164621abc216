"""What must not leave this machine, by value: secrets of the environment and docker.env, names, addresses."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHORTEST = 4
"""A shorter value would be found in every other word."""
DIGITS = 6
"""A shorter number is a port, a size or a time."""
RANDOM_LENGTH, RANDOM_BITS = 16, 3.3
"""A value of so many characters, with so many bits each, looks random."""
_WORDS = """
true false null none yes enabled disabled always never auto default info debug warn warning error
localhost production development staging test prod http https
secret host user address email files bytes replaced times nothing
"""
WORDS = frozenset(_WORDS.split())
SECRET_NAME = re.compile(
    r"(?i)pass|pwd|secret|token|key(?!board|map)|cred|auth(?!or)|salt|private|cookie|session|dsn|signature|webhook|pin$"
)
PLAIN_NAME = re.compile(
    r"(?i)(_(file|path|dir|sock|id_file)$|^(ssh|xdg)_|^desktop_session$|^xauthority$|^rollcall_support_key$|public_key$)"
)
URL_PASSWORD = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/@]*?:([^/]+)@")


@dataclass(frozen=True)
class Known:
    """A value, and what kind it is: `secret`, `host`, `address`, `user`. The name says where it is from."""

    value: str
    kind: str
    name: str


def secret_values(variables: Iterable[tuple[str, str]]) -> list[Known]:
    """The secrets among variables, by their names or by how their values look."""
    found: dict[str, Known] = {}
    for name, value in variables:
        for part in _secret_parts(name, value):
            for text in (part, _as_read(part)):
                if not is_trivial(text):
                    found.setdefault(text, Known(text, "secret", name))
    return list(found.values())


def _as_read(value: str) -> str:
    """The value as the bundle's texts have it, where a sign stands for each byte that is no UTF-8."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _secret_parts(name: str, value: str) -> list[str]:
    if PLAIN_NAME.search(name):
        return []
    in_url = URL_PASSWORD.match(value)
    if in_url:
        return [in_url[1], unquote(in_url[1]), *([value] if SECRET_NAME.search(name) else [])]
    return [value] if SECRET_NAME.search(name) or looks_random(value) else []


def is_trivial(value: str) -> bool:
    """Too short or too common to be searched for by itself."""
    text = value.strip()
    return len(text) < SHORTEST or text.lower() in WORDS or (text.isdecimal() and len(text) < DIGITS)


def looks_random(value: str) -> bool:
    """Whether this is one long word with digits, letters and little repetition, and no path or version."""
    if len(value) < RANDOM_LENGTH or re.search(r"[\s/:.,;]", value.rstrip("=")):
        return False
    mixed = re.search(r"\d", value) and re.search(r"[A-Za-z]", value)
    counts = Counter(value).values()
    bits = -sum(count / len(value) * math.log2(count / len(value)) for count in counts)
    return bool(mixed) and bits >= RANDOM_BITS


def host_values(hostnames: Iterable[str], addresses: Iterable[str], users: Iterable[str]) -> list[Known]:
    """Names, addresses and users of this machine."""
    kinds: Mapping[str, Iterable[str]] = {"host": hostnames, "address": addresses, "user": users}
    return [
        Known(value, kind, f"this machine's {kind}")
        for kind, values in kinds.items()
        for value in dict.fromkeys(values)
        if not is_trivial(value) and value not in ("root", "nobody") and not value.startswith(("127.", "::1"))
    ]
