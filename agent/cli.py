"""The command line: which verb, what it is handed, and the exit code it ends with."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from agent import __version__
from agent.app import COULD_NOT, WRONG_USE, App, CouldNot, WrongUse
from agent.base import stdio
from agent.base.words import print_message
from agent.config.envedit import EditError
from agent.config.settings import SETTINGS, SettingError, duration
from agent.outbox.database import OutboxError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Verb = Callable[[App, argparse.Namespace], int]

INTERRUPTED = 130
MOST = 2**62
"""The largest number that is told from a larger one; SQLite's own end a little above."""


class Parser(argparse.ArgumentParser):
    """argparse, with errors of one line."""

    def error(self, message: str) -> NoReturn:
        print_message(f"{message}; see {self.prog} --help", sys.stderr)
        sys.exit(WRONG_USE)


def parser(name: str = "rollcall") -> Parser:
    """Every verb, wrap and daemon too, though they go their own light ways and are not parsed here."""
    top = Parser(
        prog=name,
        description=f"Honest installer telemetry and heartbeats. Off is off: {name} disable",
        epilog=_settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"rollcall {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    add = _adder(verbs)
    verb = add("wrap", "", "run an install script, exactly as if telemetry were not there")
    verb.usage = f"{name} wrap [--no-trace] [--no-input] -- CMD..."
    verb.add_argument("--no-trace", action="store_true", help="do not find out where a script failed")
    verb.add_argument("--no-input", action="store_true", help="ask nothing afterwards")
    verb.add_argument("command", nargs="+", metavar="CMD", help="the command, and its arguments")
    add("daemon", "", "send Instance Active for as long as the product is alive").usage = f"{name} daemon"
    add(
        "preview", "preview.show_preview", "print the exact JSON of each event; sends and stores nothing"
    ).add_argument("event", nargs="?", metavar="EVENT", help="one event's name, such as 'Instance Active'")
    verb = add("log", "log.show_log", "show all that was ever recorded and what became of it")
    verb.add_argument("-n", type=_count, metavar="N", help="only the newest N")
    verb.add_argument("--json", action="store_true", help="a line of JSON for each")
    verb = add("status", "status.show_status", "say whether anything is sent, why, and how it goes")
    verb.add_argument("--json", action="store_true", help="for programs")
    add("disable", "switch.switch_off", "write the flag to docker.env; erase what waits")
    add("enable", "switch.switch_on", "remove every flag from docker.env")
    verb = add("consent", "switch.set_consent", "opt in to usage events, or out")
    verb.add_argument("what", choices=["usage"])
    verb.add_argument("choice", choices=["on", "off"])
    _add_senders(add)
    verb = add("support", "support.request_support", "ask for help for the last install that failed")
    verb.add_argument("--email", metavar="ADDRESS", help="where an answer may go; asked for if not given")
    add("forget", "forget.forget_instance", "delete id, queue and log; the next id has no tie to the last")
    return top


def _add_senders(add: Callable[[str, str, str], Parser]) -> None:
    verb = add(
        "beat",
        "send.send_beat",
        "record one Instance Active now, if alive and allowed, and deliver what waits",
    )
    verb.add_argument(
        "--slot", type=_count, metavar="N", help="the due slot it is for; one beat is kept a slot"
    )
    verb.add_argument("--report", action="store_true", help="tell the daemon, as a line of JSON")
    verb = add("flush", "send.flush_outbox", "deliver what waits")
    verb.add_argument("--budget", type=_duration, default=30.0, metavar="TIME", help="at most so long (30s)")
    verb.add_argument("--report", action="store_true", help="tell the daemon, as a line of JSON")
    verb.add_argument("--from", dest="folder", help=argparse.SUPPRESS)  # see send.flush_outbox
    verb = add("track", "track.track_event", "record one usage event, if they were opted in to")
    verb.add_argument("event", metavar="EVENT", help="a name of the product's own choice")
    verb.add_argument(
        "-p",
        dest="properties",
        action="append",
        default=[],
        metavar="KEY=TEXT|KEY:=JSON",
        help="a property",
    )
    verb = add(
        "export", "export.export_events", "write what waits as JSON lines, for a site without a network"
    )
    verb.add_argument("file", metavar="FILE|-", help="gzip if the name ends in .gz; - is stdout")
    verb.add_argument("--settle", action="store_true", help="and let go of what was written")


def _adder(verbs: argparse._SubParsersAction[Parser]) -> Callable[[str, str, str], Parser]:
    def add(name: str, where: str, says: str) -> Parser:
        words = says[0].upper() + says[1:] + "."
        verb = verbs.add_parser(name, help=says, description=words, allow_abbrev=False)
        verb.set_defaults(where=where)
        return verb

    return add


def _verb(where: str) -> Verb:
    """The function that is a verb. Each is imported only when it is asked for, so that all start fast."""
    module, _, name = where.partition(".")
    found: Verb = getattr(importlib.import_module(f"agent.verbs.{module}"), name)
    return found


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return min(int(text[:19]), MOST)


def _duration(text: str) -> float:
    try:
        return duration(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 30s or 2m") from None


def _settings_help() -> str:
    rows = [f"  {setting.name:<26} {setting.meaning} ({setting.default or 'empty'})" for setting in SETTINGS]
    flags = "  *_DISABLE_TELEMETRY, DISABLE_TELEMETRY, DO_NOT_TRACK: anything but 0, false, no, off silences"
    return "\n".join(["settings, from the environment or docker.env:", *rows, flags])


def main(argv: Sequence[str]) -> int:
    """Run one verb as a process of its own."""
    stdio.prepare()
    try:
        return run_verb(argv)
    finally:
        stdio.release()


def run_verb(argv: Sequence[str], app: App | None = None) -> int:
    """Run one verb. The one exception boundary of the process."""
    try:
        app = app or App()
        args = parser(app.name).parse_args(argv)
        code = _verb(args.where)(app, args)
        sys.stdout.flush()
    except (SettingError, WrongUse) as why:
        return _fail(why, WRONG_USE)
    except (CouldNot, OutboxError, EditError, OSError) as why:
        return _fail(why, COULD_NOT)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as why:  # noqa: BLE001 - the boundary: what is not foreseen is said, never shown whole
        return _fail(
            f"an error in rollcall itself, {type(why).__name__} at {_place(why)}; please report it",
            COULD_NOT,
        )
    return code


def _place(why: BaseException) -> str:
    """Where it happened. Nothing is imported for that: the caller may be a user who cannot read our files."""
    where = why.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    return f"{os.path.basename(where.tb_frame.f_code.co_filename)}:{where.tb_lineno}" if where else "?"


def _fail(why: object, code: int) -> int:
    if not isinstance(why, BrokenPipeError):
        print_message(_words(why), sys.stderr)
    return code


def _words(why: object) -> str:
    if isinstance(why, OSError) and why.strerror:
        return f"{why.filename}: {why.strerror}" if why.filename else why.strerror
    return str(why)
