"""The verbs of `rollcall-collector`: wiring, messages and exit codes.

0 done, 1 could not (and why), 2 wrong use or setting. Data goes to stdout, messages to stderr.
"""

from __future__ import annotations

import argparse
import gzip
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, contextmanager
from typing import IO, Any

from collector.admin import AdminError, keys, transfer
from collector.admin.comparison import DayCounts
from collector.base.times import DAY_MS, write_time
from collector.settings import PREFIX, SETTINGS, SettingError, read_settings
from collector.store import StoreError, Stores
from collector.verbs import alerts, bundles, cluster, members, people, releases, senders, storage
from collector.verbs.instances import delete_instance
from collector.verbs.opening import EVENTS_OPTION, open_stores_of
from collector.verbs.serving import serve
from collector.verbs.terminal import message, now_ms, progress

MOST_INSTANCES = 1_000_000

# What a verb does with the store; None for `serve`, which opens its own.
Action = Callable[[argparse.Namespace, Stores], None] | None


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        options = {name: getattr(arguments, name, None) for name in ("db", "events", "listen", "workers")}
        settings = read_settings(os.environ, options)
        arguments.settings = settings
        if arguments.action is None:
            serve(settings)
        elif arguments.storeless:
            arguments.action(arguments, None)
        else:
            with closing(open_stores_of(settings, make=arguments.makes)) as stores:
                arguments.action(arguments, stores)
    except SettingError as error:
        return _fail(str(error), 2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader has closed the pipe
        return 1
    except (StoreError, AdminError) as error:
        return _fail(str(error), 1)
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)
    except KeyboardInterrupt:
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    """All verbs with their options."""
    table = "\n".join(f"  {PREFIX + s.name}\n      {s.meaning} [{s.default or 'unset'}]" for s in SETTINGS)
    top = argparse.ArgumentParser(
        prog="rollcall-collector",
        description="Receives events from Rollcall agents and Segment clients; stores each exactly once.",
        epilog=f"environment variables, with their defaults:\n{table}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--db", metavar="URL", help="the database: sqlite:///PATH or postgresql://…, without a password"
    )
    common.add_argument("--events", metavar="URL", help=EVENTS_OPTION)
    verbs = top.add_subparsers(required=True, metavar="VERB")

    def verb(
        group: Any, name: str, action: Action, text: str, *, storeless: bool = False, makes: bool = False
    ) -> argparse.ArgumentParser:
        """A verb. `storeless`: it opens no database. `makes`: it may make one where there is none."""
        parents = [] if storeless else [common]
        made: argparse.ArgumentParser = group.add_parser(name, help=text, description=text, parents=parents)
        made.set_defaults(action=action, storeless=storeless, makes=makes)
        return made

    def group(name: str, text: str) -> Any:
        return verbs.add_parser(name, help=text).add_subparsers(required=True, metavar="VERB")

    server = verb(verbs, "serve", None, "receive events until stopped")
    server.add_argument("--listen", metavar="HOST:PORT")
    server.add_argument("--workers", metavar="N", help="processes that serve, only with PostgreSQL [1]")
    senders.add_verbs(group, verb)
    people.add_verbs(group, verb)
    people.add_single_verbs(verbs, verb)
    take = verb(verbs, "import", _import, "import events from JSON lines, plain or gzip", makes=True)
    take.add_argument("--source", metavar="NAME", help="into this source [the one that each line names]")
    text = "then compare how many events each day has in FILE and in the store; exit code 1 if one differs"
    take.add_argument("--verify", action="store_true", help=text)
    take.add_argument("file", metavar="FILE|-")
    give = verb(
        verbs,
        "export",
        _export,
        "export every event as a JSON line into a new FILE; gzip if its name ends in .gz",
    )
    give.add_argument("file", metavar="FILE|-")
    demo = verb(verbs, "demo-data", _demo_data, "fill a source with a year of invented events", makes=True)
    demo.add_argument("--source", metavar="NAME", default="demo")
    demo.add_argument("--instances", metavar="N", type=fleet_size, default=500, help="how many [500]")
    demo.add_argument("--seed", metavar="N", type=int, default=1, help="the same seed, the same events [1]")
    instance_verbs = group("instances", "delete what is stored of an instance")
    text = "delete an instance: its events, runs and requests for help, and its share of the counts"
    delete = verb(instance_verbs, "delete", delete_instance, text)
    delete.add_argument("id", metavar="ID", help="the whole id")
    delete.add_argument("--source", metavar="S", help="only from this source [from all]")
    storage.add_verbs(verbs, verb)
    bundles.add_verbs(group, verb)
    members.add_verbs(group, verb)
    releases.add_verbs(group, verb)
    alerts.add_verbs(group, verb)
    cluster.add_verbs(group, verb)
    return top


def fleet_size(text: str) -> int:
    """A whole number from 1."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= MOST_INSTANCES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST_INSTANCES}")
    return int(text)


def _import(arguments: argparse.Namespace, stores: Stores) -> None:
    now, rejects = now_ms(), transfer.Rejects(message)
    targets, days = transfer.Targets(stores, arguments.source, now), DayCounts()
    with _file(arguments.file, "rb") as lines:
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
    different = days.differences(stores.events)
    names = keys.name_sources(stores.control)
    for source, day, in_file, in_store in different:
        at = write_time(day * DAY_MS)[:10]
        print(f"{at} {names[source]!r}: {in_file} events in the file, {in_store} in the store")
    if different:
        raise AdminError(f"{len(different)} days differ between the file and the store")
    message(f"each of {days.days} days has as many events in the store as in the file")


def _export(arguments: argparse.Namespace, stores: Stores) -> None:
    with _file(arguments.file, "xb") as out:
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
def _file(name: str, mode: str) -> Any:
    if name == "-":
        out: IO[bytes] = sys.stdin.buffer if mode == "rb" else sys.stdout.buffer
        yield out
        out.flush()
        return
    packed = mode == "xb" and name.endswith(".gz")
    try:
        opened = gzip.open(name, mode) if packed else open(name, mode)  # noqa: SIM115
    except FileExistsError:
        raise AdminError(f"{name} already exists; name another file, or remove it first") from None
    except OSError as error:
        hint = (
            "name a file of JSON lines, or - for stdin"
            if mode == "rb"
            else "name another file, or - for stdout"
        )
        raise AdminError(f"{name} cannot be opened: {error.strerror}; {hint}") from None
    with opened:
        try:
            yield opened
        except BaseException:
            if mode == "xb":  # half an export looks like a whole one
                os.unlink(name)
            raise


def _fail(text: str, code: int) -> int:
    message(text)
    return code
