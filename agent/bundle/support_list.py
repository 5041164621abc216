"""What the vendor's support.list allows a bundle to hold. Only root may write that file.

# a comment
file GLOB               the newest part of each file
tail N GLOB             the last N lines of each file
command NAME: ARGV...   what a command prints; it runs without a shell
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from agent.base.files import TooLargeError, read_with_stat

MAX_BYTES = 64 * 1024
MAX_LINES = 1_000_000


class ListError(Exception):
    """The list cannot be heeded; the text says why."""


@dataclass(frozen=True)
class Files:
    """Files to take: those that the pattern matches, and of each the last lines (None: all)."""

    pattern: str
    lines: int | None = None


@dataclass(frozen=True)
class Command:
    """A command to run."""

    name: str
    words: tuple[str, ...]


def read_support_list(path: str) -> list[Files | Command]:
    """The entries of the list; none where there is no list."""
    try:
        data, found = read_with_stat(path, MAX_BYTES)
    except FileNotFoundError:
        return []
    except TooLargeError:
        raise ListError(f"{path} is larger than {MAX_BYTES // 1024} KiB") from None
    except (OSError, ValueError) as why:
        raise ListError(f"{path} cannot be read: {why}") from None
    if found.st_uid != 0 or found.st_mode & 0o022:
        raise ListError(f"{path} must belong to root, and nobody else may write it")
    return _parse(path, data.decode("utf-8", "replace"))


def _parse(path: str, text: str) -> list[Files | Command]:
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            entry = _entry(line.strip())
            if entry is None:
                raise ListError(f"{path}:{number} is none of: file GLOB, tail N GLOB, command NAME: ARGV...")
            entries.append(entry)
    return entries


def _entry(line: str) -> Files | Command | None:
    kind, _, rest = line.partition(" ")
    rest = rest.strip()
    if kind == "file" and rest.startswith("/"):
        return Files(rest)
    if kind == "tail" and (tail := re.fullmatch(r"(\d{1,7})\s+(/.*)", rest, re.ASCII)):
        return Files(tail[2], min(int(tail[1]), MAX_LINES))
    if kind == "command" and (command := re.fullmatch(r"([\w.-]{1,40}):\s*(.+)", rest, re.ASCII)):
        try:
            words = shlex.split(command[2])
        except ValueError:
            return None
        return Command(command[1], tuple(words)) if words else None
    return None
