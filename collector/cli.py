"""The verbs of `rollcall-collector`: wiring, messages and exit codes.

0 done, 1 could not (and why), 2 wrong use or setting. Data goes to stdout, messages to stderr.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from collector.admin import AdminError
from collector.settings import PREFIX, SETTINGS, SettingError, read_settings
from collector.store import StoreError, Stores
from collector.verbs import (
    alerts,
    bundles,
    cluster,
    event_files,
    instances,
    members,
    people,
    releases,
    senders,
    storage,
)
from collector.verbs.opening import EVENTS_OPTION, open_stores_of
from collector.verbs.serving import serve
from collector.verbs.terminal import message

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
    except UnicodeEncodeError as error:
        if error.encoding != "utf-8":  # a word of the command is not at fault, but where the answer goes
            return _fail(f"a name cannot be written as {error.encoding}; set PYTHONIOENCODING=utf-8", 1)
        return _fail("a name in this command is not valid text (UTF-8)", 2)
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
    unheeded = argparse.ArgumentParser(add_help=False)
    unheeded.add_argument("--db", help=argparse.SUPPRESS)  # every verb takes it
    verbs = top.add_subparsers(required=True, metavar="VERB")

    def verb(
        group: Any, name: str, action: Action, text: str, *, storeless: bool = False, makes: bool = False
    ) -> argparse.ArgumentParser:
        """A verb. `storeless`: it opens no database. `makes`: it may make one where there is none."""
        made: argparse.ArgumentParser = group.add_parser(
            name, help=text, description=text, parents=[unheeded if storeless else common]
        )
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
    event_files.add_verbs(verbs, verb)
    instances.add_verbs(group, verb)
    storage.add_verbs(verbs, verb)
    bundles.add_verbs(group, verb)
    members.add_verbs(group, verb)
    releases.add_verbs(group, verb)
    alerts.add_verbs(group, verb)
    cluster.add_verbs(group, verb)
    return top


def _fail(text: str, code: int) -> int:
    message(text)
    return code
