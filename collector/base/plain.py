"""Texts that a client chose, and that may stand where strangers read them, or in a message."""

from __future__ import annotations

import re

# No address, and nothing as long as a write key.
_PLAIN = re.compile(r"[A-Za-z0-9_.+~-]{1,31}(?: [A-Za-z0-9_.+~-]{1,31})?")
# Programs make a link of what ends like the name of a host.
_HOST = re.compile(r"\.[A-Za-z]{2,}(?![A-Za-z0-9])")
_VERSION = re.compile(r"v?[0-9]")


def is_plain_file(text: str) -> bool:
    """Whether a text looks like a file. It may look like a host too, as `install.sh` does."""
    return _PLAIN.fullmatch(text) is not None


def is_plain_system(text: str) -> bool:
    """Whether a text looks like a system, and nothing makes a link of it."""
    return is_plain_file(text) and not _HOST.search(text)


def is_plain_version(text: str) -> bool:
    """Whether a text looks like a version, and nothing makes a link of it."""
    return is_plain_system(text) and _VERSION.match(text) is not None
