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
from agent.base.messages import print_message
from agent.config.envedit import EditError
from agent.config.settings import SETTINGS, SettingError
from agent.config.values import parse_duration
from agent.outbox.errors import OutboxError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Adder = Callable[[str, str, str], "Parser"]
    """Adds a verb: its name, where its function is, and what it does."""
    Verb = Callable[[App, argparse.Namespace], int]

INTERRUPTED = 130
MOST = 2**62
"""The largest number that is told from a larger one; SQLite's own end a little above."""


class Parser(argparse.ArgumentParser):
    """argparse, with errors of one line."""

    options_anywhere = False
    """Whether options may stand between words, of which argparse would take the second for missing."""

    def parse_known_args(  # type: ignore[override]  # every other kind of namespace is argparse's own affair
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse does; options that have no value go before the words."""
        if self.options_anywhere and args is not None:
            end = args.index("--") if "--" in args else len(args)
            args = [*sorted(args[:end], key=lambda word: not word.startswith("-")), *args[end:]]
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        print_message(f"{message}; see {self.prog} --help", sys.stderr)
        sys.exit(WRONG_USE)


def parser(name: str = "rollcall") -> Parser:
    """Every verb, wrap and daemon too, though they start in their own light way and are not parsed here."""
    top = Parser(
        prog=name,
        description=f"Installer telemetry and heartbeats. To turn it off: {name} disable",
        epilog=_settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"rollcall {__version__}")
    add = _adder(top.add_subparsers(dest="verb", metavar="VERB", required=True))
    _add_programs(add, name)
    _add_readers(add)
    _add_switches(add)
    _add_senders(add)
    _add_updates(add, name)
    verb = add(
        "forget", "forget.forget_instance", "delete id, queue and log; the next id cannot be linked to it"
    )
    everywhere = "first delete what the endpoint holds, and print its receipt; if that fails, delete nothing"
    verb.add_argument("--everywhere", action="store_true", help=everywhere)
    return top


def _add_programs(add: Adder, name: str) -> None:
    verb = add("wrap", "", "run an install script as if it ran alone, and report how it ends")
    verb.usage = f"{name} wrap [--no-trace] [--no-input] [--explain] -- CMD..."
    verb.add_argument("--no-trace", action="store_true", help="do not look for the line that fails")
    verb.add_argument("--no-input", action="store_true", help="ask no questions after the install")
    verb.add_argument(
        "--explain", action="store_true", help="run nothing; say how a failing step would be found"
    )
    verb.add_argument("command", nargs="+", metavar="CMD", help="the command and its arguments")
    add("daemon", "", "send heartbeats (Instance Active) while the product is alive").usage = f"{name} daemon"


def _add_readers(add: Adder) -> None:
    shows = "print the exact JSON of each event; send nothing, and note only that it was shown"
    verb = add("preview", "preview.show_preview", shows)
    verb.add_argument("event", nargs="?", metavar="EVENT", help="only this event, such as 'Instance Active'")
    new = "only what is not sent yet, because nobody was shown it"
    verb.add_argument("--new", action="store_true", help=new)
    verb = add("log", "log.show_log", "show every recorded event and what became of it")
    verb.add_argument("-n", type=_count, metavar="N", help="only the newest N events")
    verb.add_argument("--json", action="store_true", help="one line of JSON for each event")
    verb = add("status", "status.show_status", "show whether events are sent, and why")
    verb.add_argument("--json", action="store_true", help="print JSON")
    verb = add("prove", "prove.show_proof", "show on this machine, in an empty network, that off is silent")
    verb.add_argument("--json", action="store_true", help="print the evidence as JSON")
    verb = add("doctor", "doctor.examine", "check that reporting works, and list every possible connection")
    verb.add_argument("--json", action="store_true", help="print JSON")


def _add_switches(add: Adder) -> None:
    add("disable", "switch.switch_off", "turn telemetry off, in docker.env, and erase waiting events")
    add("enable", "switch.switch_on", "turn telemetry on: remove every flag from docker.env")
    verb = add("consent", "switch.set_consent", "agree to usage events, or refuse them")
    verb.add_argument("what", choices=["usage"], help="events of the product's own, on how it is used")
    verb.add_argument("choice", choices=["on", "off"], help="on agrees, off refuses")


def _add_senders(add: Adder) -> None:
    report = "print the result as one line of JSON (used by the daemon)"
    verb = add("beat", "send.send_beat", "record one heartbeat now, if the product is alive, and deliver it")
    slot = "scheduled heartbeat number (used by the daemon); one heartbeat is stored per number"
    verb.add_argument("--slot", type=_count, metavar="N", help=slot)
    verb.add_argument("--report", action="store_true", help=report)
    verb = add("flush", "send.flush_outbox", "deliver the waiting events")
    verb.add_argument("--budget", type=_duration, default=30.0, metavar="TIME", help="stop after this (30s)")
    verb.add_argument("--report", action="store_true", help=report)
    verb.add_argument("--from", dest="folder", help=argparse.SUPPRESS)  # see send.flush_outbox
    verb.add_argument("--eager", action="store_true", help=argparse.SUPPRESS)  # see retry.py
    verb.add_argument("--feed", action="store_true", help=argparse.SUPPRESS)  # see heartbeat/answer.py
    verb = add("track", "track.track_event", "record one usage event, if the user has agreed to usage events")
    verb.add_argument("event", metavar="EVENT", help="name of the event, chosen by the product")
    property_help = "a property of the event; repeat it for more"
    verb.add_argument(
        "-p", dest="properties", action="append", default=[], metavar="KEY=TEXT|KEY:=JSON", help=property_help
    )
    verb = add(
        "export", "export.export_events", "write waiting events as JSON lines, for a site without a network"
    )
    verb.add_argument("file", metavar="FILE|-", help="compressed if the name ends in .gz; - is stdout")
    settle = "mark exported events as exported, so they are not sent later"
    verb.add_argument("--settle", action="store_true", help=settle)
    verb = add("support", "support.request_support", "ask for help with the last install that failed")
    verb.add_argument("--email", metavar="ADDRESS", help="where the answer is sent; asked for if missing")
    bundle = "send a sealed support bundle instead: logs and facts for your vendor, shown to you first"
    verb.add_argument("--bundle", action="store_true", help=bundle)
    verb.add_argument("--out", metavar="FILE", help="write the sealed bundle to this file, and send nothing")
    verb.add_argument("--yes", action="store_true", help="seal the bundle without a question")


def _add_updates(add: Adder, name: str) -> None:
    verb = add("updates", "updates.show_updates", "show releases and advisories that concern this version")
    verb.options_anywhere = True
    verb.usage = f"{name} updates [--check] [--json], or {name} updates import FEED"
    verb.add_argument("--check", action="store_true", help="ask for the vendor's feed now")
    verb.add_argument("--json", action="store_true", help="print JSON")
    verb.add_argument("action", nargs="?", choices=["import"], help="take the feed from a file")
    feed_help = "the feed's file; its signature is beside it, in FEED.minisig"
    verb.add_argument("feed", nargs="?", metavar="FEED", help=feed_help)


def _adder(verbs: argparse._SubParsersAction[Parser]) -> Adder:
    def add(name: str, where: str, what: str) -> Parser:
        description = what[0].upper() + what[1:] + "."
        verb = verbs.add_parser(name, help=what, description=description, allow_abbrev=False)
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
        return parse_duration(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 30s or 2m") from None


def _settings_help() -> str:
    rows = []
    for setting in SETTINGS:
        default = f" (default: {setting.default})" if setting.default else ""
        rows.append(f"  {setting.name:<26} {setting.meaning}{default}")
    flags = [
        "flags, from the environment or any docker.env; each turns all of it off:",
        "  DO_NOT_TRACK, DISABLE_TELEMETRY, *_DISABLE_TELEMETRY unless empty, 0, false, no or off",
    ]
    return "\n".join(["settings, from the environment or docker.env:", *rows, *flags])


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
