"""Verbs that import and export files of events, or make up events to try the page."""

from __future__ import annotations

import argparse
import gzip
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from secrets import token_hex
from stat import S_IMODE
from typing import IO, Any, cast

from collector.admin import AdminError, keys, transfer
from collector.admin.comparison import DayCounts
from collector.base.times import DAY_MS, write_time
from collector.store import Stores
from collector.verbs.terminal import message, now_ms, progress

MOST_INSTANCES = 1_000_000


def add_verbs(verbs: Any, make_verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the verbs to the command line."""
    take = make_verb(verbs, "import", _import, "import events from JSON lines, plain or gzip", makes=True)
    take.add_argument("--source", metavar="NAME", help="into this source [the one that each line names]")
    text = "then compare how many events each day has in FILE and in the store; exit code 1 if one differs"
    take.add_argument("--verify", action="store_true", help=text)
    take.add_argument("file", metavar="FILE|-")
    text = "export every event as a JSON line into FILE; gzip if its name ends in .gz"
    give = make_verb(verbs, "export", _export, text)
    give.add_argument("file", metavar="FILE|-")
    demo = make_verb(
        verbs, "demo-data", _demo_data, "fill a source with a year of invented events", makes=True
    )
    demo.add_argument("--source", metavar="NAME", default="demo")
    demo.add_argument("--instances", metavar="N", type=fleet_size, default=500, help="how many [500]")
    demo.add_argument("--seed", metavar="N", type=int, default=1, help="the same seed, the same events [1]")


def fleet_size(text: str) -> int:
    """A whole number from 1."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= MOST_INSTANCES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST_INSTANCES}")
    return int(text)


def _import(arguments: argparse.Namespace, stores: Stores) -> None:
    now, rejects = now_ms(), transfer.Rejects(message)
    targets, days = transfer.Targets(stores, arguments.source, now), DayCounts()
    with _input(arguments.file) as lines:
        try:
            read, fresh = transfer.import_events(
                stores.events, targets.number_of, lines, now, progress("read"), rejects, days
            )
        finally:  # a failed import leaves no empty source behind
            for name in targets.drop_unused():
                message(f"created the source {name!r}")
    rejected = f", {rejects.count} rejected" if rejects.count else ""
    message(f"{read + rejects.count} events read, {fresh} new{rejected}")
    if rejects.damage:
        raise AdminError(f"{rejects.damage}; what was read is stored")
    if arguments.verify:
        _verify(stores, days)
    if rejects.count:
        raise AdminError(
            "mend the rejected lines and import the file again; an event with a messageId is kept once"
        )


def _verify(stores: Stores, days: DayCounts) -> None:
    """Print each day that differs. AdminError if there is one."""
    transfer.wait_until_counted(stores.events, now_ms())
    different = days.differences(stores.events)
    names = keys.name_sources(stores.control)
    for source, day, in_file, in_store in different:
        at = write_time(day * DAY_MS)[:10]
        print(f"{at} {names[source]!r}: {in_file} events in the file, {in_store} in the store")
    if different:
        raise AdminError(f"days that differ between the file and the store: {len(different)}")
    message(f"each of {days.days} days has as many events in the store as in the file")


def _export(arguments: argparse.Namespace, stores: Stores) -> None:
    with _output(arguments.file) as out:
        count = transfer.export_events(stores, out, progress("written"))
    message(f"{count} events written")


def _demo_data(arguments: argparse.Namespace, stores: Stores) -> None:
    from collector.admin import demo

    now = now_ms()
    with stores.control.transaction() as tx:
        source = keys.source_named(tx, arguments.source, now)
    events = demo.demo_events(arguments.instances, arguments.seed, now, source)
    made, _ = transfer.add_in_chunks(stores.events, events, progress("made"))
    message(f"{made} events of {arguments.instances} instances are in the source {arguments.source!r}")


@contextmanager
def _input(name: str) -> Iterator[IO[bytes]]:
    """A file to read; `-` is stdin."""
    if name == "-":
        yield sys.stdin.buffer
        return
    with _open(name, "rb", "name a file of JSON lines, or - for stdin") as lines:
        yield lines


@contextmanager
def _output(name: str) -> Iterator[IO[bytes]]:
    """A file to write, compressed if its name ends in .gz; `-` is stdout.

    A regular file takes its place once it is whole.
    """
    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    hint = "name another file, or - for stdout"
    if os.path.exists(name) and not os.path.isfile(name):  # /dev/stdout, a pipe
        with _open(name, "wb", hint) as out:
            yield out
        return
    whole = os.path.realpath(name)
    part = f"{whole}.{token_hex(4)}.part"  # of this export alone, and in nobody's place
    out = _open(name, "wb", hint, new=part)
    try:
        with out:
            _let_the_same_read(part, whole)
            yield out
        _flush(part)
    except BaseException:  # also of the last bytes, which are written when it is closed
        os.unlink(part)  # half an export looks like a whole one
        raise
    os.replace(part, whole)


def _let_the_same_read(part: str, whole: str) -> None:
    """Give a file the owner and the mode of the one whose place it takes."""
    with suppress(FileNotFoundError):
        was = os.stat(whole)
        with suppress(PermissionError):
            os.chown(part, was.st_uid, was.st_gid)
        os.chmod(part, S_IMODE(was.st_mode))


def _flush(path: str) -> None:
    """After a power cut an older export may be there, or this one, but none that is empty."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _open(name: str, mode: str, hint: str, *, new: str = "") -> IO[bytes]:
    """Open a file; or in its place a `new` one, which only we may read: events hold e-mail addresses."""
    packed = mode != "rb" and name.endswith(".gz")
    path = new or name
    try:
        if new:
            os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        return cast("IO[bytes]", gzip.open(path, mode) if packed else open(path, mode))
    except OSError as error:
        raise AdminError(f"{name} cannot be opened: {error.strerror}; {hint}") from None
