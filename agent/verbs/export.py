"""The verb `export`: the waiting events as a file, for a site without a network."""

from __future__ import annotations

import contextlib
import errno
import gzip
import os
import sys
from typing import TYPE_CHECKING, BinaryIO

from agent.app import DONE, App, CouldNot
from agent.base.files import sync_directory
from agent.base.messages import counted
from agent.base.owner import become_owner
from agent.outbox import intake
from agent.outbox.outbox import EXPORTED, Outbox

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

PAGE = 500


def export_events(app: App, args: argparse.Namespace) -> int:
    """Write the waiting events as JSON lines."""
    situation = app.situation
    if not situation.decision.sending:
        intake.erase_waiting(app.situation, app.now)
        app.say("telemetry is off, so no event is waiting")
        return DONE
    outbox, seqs = None, list[int]()
    with contextlib.ExitStack() as open_still:
        with _opened(args.file) as file:
            become_owner(situation.state, *intake.RECORDING)
            if situation.state.exists():
                outbox = open_still.enter_context(intake.open_outbox(app.situation, app.now))
                seqs = _write(outbox, file, args.file)
        if outbox and args.settle:  # only now, when nothing takes the file away again
            outbox.settle(seqs, EXPORTED)
    written = counted(len(seqs), "event was", "events were")
    app.say(f"{written} written to {args.file}" + (" and marked as exported" if args.settle else ""))
    return DONE


@contextlib.contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    """The file that is written to, opened as the caller; one that exists is left alone.

    A file that could not be written completely is removed.
    """
    if name == "-":
        yield sys.stdout.buffer
        return
    try:
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise CouldNot(f"{name} already exists; choose another name") from None
    try:
        with open(handle, "wb") as file:
            with contextlib.suppress(OSError):  # a folder that may not be read, or cannot be synced
                sync_directory(os.path.dirname(name) or ".")
            yield file
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _write(outbox: Outbox, file: BinaryIO, name: str) -> list[int]:
    """Write what waits, durably, page by page; which rows they were."""
    seqs: list[int] = []
    zipped = gzip.GzipFile(fileobj=file, mode="wb", mtime=0) if name.endswith(".gz") else None
    target = zipped or file
    while page := outbox.waiting_anywhere(after=seqs[-1] if seqs else 0, limit=PAGE):
        for seq, text in page:
            target.write(text.encode() + b"\n")
            seqs.append(seq)
    if zipped:
        zipped.close()
    file.flush()
    _make_durable(file)
    return seqs


def _make_durable(file: BinaryIO) -> None:
    """The file must be on disk before its events are marked as exported. A pipe or a terminal has no disk."""
    try:
        os.fsync(file.fileno())
    except OSError as why:
        if why.errno not in (errno.EINVAL, errno.EROFS, errno.ENOTSUP):
            raise
