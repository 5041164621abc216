"""Take what support.list names: files without following a stranger's links, commands with limits."""

from __future__ import annotations

import glob
import os
import select
import signal
import stat
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.base.messages import printable
from agent.bundle.support_list import Command, Files

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MIB = 1024 * 1024
MAX_TOTAL = 10 * MIB
MAX_PIECE = 2 * MIB
MAX_FILES = 500
MAX_LINKS = 40
LONGEST_PART = 200
"""Bytes of a name. No disk takes one of more than 255, and a token may be longer than what it stands for."""
COMMAND_SECONDS = 20.0
CHUNK = 64 * 1024
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Piece:
    """One file of the bundle: its name, its text, and what is to be said about it."""

    name: str
    text: str
    note: str = ""


def collect(entries: Iterable[Files | Command], root: str = "/") -> list[Piece]:
    """What the entries name, in their order. What could not be taken is an empty piece with a note."""
    pieces: dict[str, Piece] = {}
    for entry in entries:
        found = [_run(entry)] if isinstance(entry, Command) else _take_files(entry, root)
        for piece in found:
            pieces.setdefault(piece.name, piece)
    return list(pieces.values())


def within_limit(pieces: Iterable[Piece], limit: int = MAX_TOTAL) -> list[Piece]:
    """The pieces, each with its end only where there is no more room; the note says so."""
    kept, left = [], limit
    for piece in pieces:
        data = piece.text.encode()
        if len(data) > left:
            cut = _whole_lines(data[len(data) - left :]).decode("utf-8", "ignore")
            note = f"only the last {len(cut.encode())} of {len(data)} bytes: the bundle is full"
            kept.append(Piece(piece.name, cut, f"{piece.note}; {note}" if piece.note else note))
        else:
            kept.append(piece)
        left -= len(kept[-1].text.encode())
    return kept


def _whole_lines(data: bytes) -> bytes:
    """An end of a text, from a line's beginning on: half a secret would not be known for one."""
    return data.partition(b"\n")[2] or data


def _take_files(entry: Files, root: str) -> list[Piece]:
    pattern = os.path.join(root, entry.pattern.lstrip("/"))
    paths = [path for path in sorted(glob.glob(pattern)) if not os.path.isdir(path)]
    if not paths:
        return [Piece(_name(pattern, root), "", "no such file")]
    return [_take_file(path, entry.lines, root) for path in paths[:MAX_FILES]]


def _take_file(path: str, lines: int | None, root: str) -> Piece:
    name = _name(path, root)
    try:
        data, note = _newest_part(path)
    except OSError as why:
        return Piece(name, "", f"not taken: {why.strerror or why}")
    if lines is not None:
        data = b"".join(data.splitlines(keepends=True)[-lines:] if lines else [])
    return Piece(name, _text(data), note)


def _name(path: str, root: str) -> str:
    """A piece's name, fit for a terminal, for UTF-8, and for a disk. Of a part that is too long, its end."""
    parts = printable("files/" + os.path.relpath(path, root)).split("/")
    return "/".join(part.encode()[-LONGEST_PART:].decode("utf-8", "ignore") for part in parts)


def _newest_part(path: str) -> tuple[bytes, str]:
    """The end of a regular file, and a note if that is not all of it."""
    real, link_owners = resolve(path)
    handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with open(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("it is no regular file")
        if not link_owners <= {0, found.st_uid}:
            raise OSError("a link of another user leads to it")
        if os.readlink(f"/proc/self/fd/{handle}") != real:
            raise OSError("a folder on the way was replaced meanwhile")
        file.seek(max(0, found.st_size - MAX_PIECE))
        data = file.read(MAX_PIECE)
    cut = found.st_size > MAX_PIECE
    data = _whole_lines(data) if cut else data
    return data, f"only the last {len(data)} of {found.st_size} bytes" if cut else ""


def resolve(path: str) -> tuple[str, set[int]]:
    """The absolute path without links, and the users to whom the links on the way belong.

    A link may lead only where its owner could read anyway. Its owner and its target are read from one
    descriptor, so that nobody replaces it between two looks.
    """
    owners, place, links = set(), "/", 0
    left = path.split("/")
    while left:
        part = left.pop(0)
        if part == "..":
            place = os.path.dirname(place)
        elif part not in ("", "."):
            owner, target = _look_at(os.path.join(place, part))
            if target is None:
                place = os.path.join(place, part)
                continue
            owners.add(owner)
            links += 1
            if links > MAX_LINKS:
                raise OSError("too many links lead to it")
            left = target.split("/") + left
            place = "/" if target.startswith("/") else place
    return place, owners


def _look_at(path: str) -> tuple[int, str | None]:
    """Who owns it, and where it leads if it is a link."""
    handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        return found.st_uid, os.readlink("", dir_fd=handle) if stat.S_ISLNK(found.st_mode) else None
    finally:
        os.close(handle)


def _run(command: Command) -> Piece:
    """What a command prints. It gets no input, no terminal, no variable of ours, and is killed in the end."""
    name = f"commands/{command.name}.txt"
    try:
        data, note = run_limited(command.words, {"PATH": PATH, "LANG": "C.UTF-8"})
    except OSError as why:
        return Piece(name, "", f"not run: {why.strerror or why}")
    return Piece(name, _text(data), note)


def run_limited(
    words: Sequence[str],
    environ: dict[str, str],
    *,
    cwd: str = "/",
    seconds: float = COMMAND_SECONDS,
    quiet: bool = False,
    most: int = MAX_PIECE,
) -> tuple[bytes, str]:
    """The first bytes, `most` of them, that a command prints within its time, and a note on how it ended.

    `quiet`: what it prints to stderr is left out.
    """
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else subprocess.STDOUT,
        env=environ,
        cwd=cwd,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        deadline = time.monotonic() + seconds
        data, note = _read_until(process.stdout.fileno(), deadline, seconds, most)
        if not note:  # it may have closed its output, and go on
            try:
                process.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                note = f"ended after {seconds:.0f} s"
        with suppress(ProcessLookupError):
            if note:
                os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
    return data, note or (f"it ended with exit code {code}" if code else "")


def _read_until(handle: int, deadline: float, seconds: float, most: int) -> tuple[bytes, str]:
    data = b""
    while len(data) <= most:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([handle], [], [], left)[0]:
            return data, f"ended after {seconds:.0f} s"
        chunk = os.read(handle, CHUNK)
        if not chunk:
            return data, ""
        data += chunk
    kept = data[: data.rfind(b"\n", 0, most) + 1] or data[:most]  # whole lines, as above
    return kept, f"only the first {len(kept)} bytes"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
