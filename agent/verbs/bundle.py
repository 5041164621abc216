"""`support --bundle`: collect, redact, show, and seal a support bundle. Only a person starts it."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from agent.app import DONE, App, CouldNot, WrongUse
from agent.base.locks import hold_lock
from agent.base.owner import ActingAsOwner
from agent.bundle.collect import MAX_PIECE, MIB, Piece, collect, run_limited, within_limit
from agent.bundle.pack import make_tar, report
from agent.bundle.redact import Leak, Redactor, find_leak
from agent.bundle.seal import Seal, SealError
from agent.bundle.support_list import ListError, read_support_list
from agent.bundle.surroundings import known_here
from agent.config.access import access_problem
from agent.events import catalogue
from agent.outbox import intake
from agent.outbox.bundles import (
    MOST_BYTES,
    MOST_PLAIN,
    MOST_WAITING,
    TooManyWait,
    build_bundle_line,
    record_bundle,
)
from agent.wrapper.process.caller import Environment
from agent.wrapper.process.flusher import start_flush

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

OWN = (sys.executable, "-I", "-m", "agent")
OWN_SECONDS = 30.0
MOST_OWN = 32 * MIB
"""More than our longest answer has: the log of an outbox as full as may be."""
SENDER_WAIT = 30.0
YES = ("y", "yes")


def make_bundle(app: App, args: argparse.Namespace) -> int:
    """Seal a bundle, once a person has seen what is in it, and send it or write it to a file."""
    seal = _seal(app, args)
    plain = _plain_bundle(app)
    with _shown(args.out, plain) as plain_path:
        app.say(f"this is the whole bundle, and nothing else is sealed: {plain_path}")
        app.say(f"it can be opened only with the key whose thumbprint is {seal.thumbprint}")
        agreed = args.yes or _agreed(app, "Seal it?" if args.out else "Seal and send it?")
        if not agreed:
            os.unlink(plain_path)
            app.say("nothing was sealed; the plain bundle is deleted")
            return DONE
        sealed = seal.seal(plain)
        if args.out:
            _write_new(args.out, sealed)
    digest = hashlib.sha256(sealed).hexdigest()
    if args.out:
        app.say(f"sealed: {args.out}, {len(sealed)} bytes, SHA-256 {digest}; send this file to your vendor")
        return DONE
    return _send(app, sealed, digest)


@contextmanager
def _shown(out: str | None, plain: bytes) -> Iterator[str]:
    """The plain bundle as a file, to look into; it stays only where the sealed one is a file too."""
    if out:
        _write_new(f"{out}.tar", plain)
        with _removed_on_error(f"{out}.tar"):
            yield f"{out}.tar"
        return
    with tempfile.TemporaryDirectory(prefix="rollcall-") as folder:
        path = os.path.join(folder, "bundle.tar")
        _write_new(path, plain)
        yield path


def _send(app: App, sealed: bytes, digest: str) -> int:
    """Have the bundle wait as events do, and start the sender."""
    situation = app.situation
    state, settings = situation.state, situation.settings
    for module in intake.RECORDING:
        __import__(module)  # its owner may not be able to read our files
    state.make()
    with ActingAsOwner(state), hold_lock(state.sender, SENDER_WAIT) as alone:
        if not alone:
            raise CouldNot("events are being sent at the moment; try again in a minute")
        with intake.open_outbox(situation, app.now) as outbox:
            known = [each for each in outbox.entries() if each.endpoint in (None, settings.endpoint)]
            failed = next((e.told for e in reversed(known) if e.name == catalogue.ERRORS and e.told), None)
            run = failed["context"]["installation"]["id"] if failed else None
            line = build_bundle_line(
                app.origin(app.ensure_instance()),
                size=len(sealed),
                digest=digest,
                timestamp=app.now(),
                installation=run,
            )
            try:
                record_bundle(state, outbox, line, sealed, digest, settings.endpoint)
            except TooManyWait:
                raise CouldNot(
                    f"{MOST_WAITING} bundles are waiting already; send them with {app.name} flush"
                ) from None
    app.say(f"sealed: {len(sealed)} bytes, SHA-256 {digest}")
    if problem := access_problem(settings):
        app.say(f"the bundle is waiting: {problem}")
        return DONE
    start_flush(
        Environment([os.fsencode(f"{name}={value}") for name, value in app.environ.items()]),
        situation,
        ending=True,
    )
    app.say(f"it is being sent; to see what becomes of it: {app.name} log")
    return DONE


def _seal(app: App, args: argparse.Namespace) -> Seal:
    """The key, once all that could stop us later is looked at. Nothing is collected before."""
    key = app.situation.settings.support_key
    if not key:
        raise CouldNot("your vendor gave no key to seal a bundle for: ROLLCALL_SUPPORT_KEY is not set")
    if not args.out and not app.situation.settings.endpoint:
        raise CouldNot("no endpoint is set, so nothing can be sent; write a file instead, with --out FILE")
    if not args.yes and not sys.stdin.isatty():
        raise WrongUse("there is no terminal to show the bundle on; use --yes")
    for path in (args.out, f"{args.out}.tar") if args.out else ():
        if os.path.lexists(path):
            raise CouldNot(f"{path} is there already; use another name, or delete it")
    try:
        return Seal(key)
    except SealError as why:
        raise CouldNot(str(why)) from None


def _plain_bundle(app: App) -> bytes:
    """Collect and redact; print the report, and return the tar."""
    situation = app.situation
    path = situation.settings.support_list or os.path.join(app.root, "etc", situation.name, "support.list")
    try:
        entries = read_support_list(path)
    except ListError as why:
        raise CouldNot(f"{why}; nothing was collected") from None
    if not entries:
        app.say(f"your vendor asks for no files or commands: {path} is not there, or empty")
    pieces = within_limit([*_own_pieces(app), *collect(entries, app.root)])
    redactor = Redactor(known_here(situation, app.environ))
    try:
        texts = redactor.redact([part for piece in pieces for part in (piece.name, piece.text, piece.note)])
    except Leak as why:
        raise CouldNot(f"{why}; nothing was sealed or written. Please report this") from None
    parts = iter(texts)
    # A token may be longer than what it stands for, so there may be less room than before.
    redacted = within_limit(Piece(name, text, note) for name, text, note in zip(parts, parts, parts))
    shown = report(redacted, redactor.counts)
    if leak := find_leak(shown, redactor.known):
        raise CouldNot(f"{leak}, in the report; nothing was sealed or written")
    print(shown, end="", file=app.err)
    packed = make_tar(redacted, shown, app.now())
    if len(packed) > MOST_PLAIN:
        raise CouldNot(
            f"sealed, the bundle would have more than {MOST_BYTES >> 20} MiB, and could be neither sent nor"
            f" opened; {path} names too many files; nothing was sealed or written"
        )
    return packed


def _own_pieces(app: App) -> list[Piece]:
    """What Rollcall knows: status, findings, log without e-mail addresses, the last install that failed."""
    status = _own_words(app, "status", "--json")
    doctor = _own_words(app, "doctor", "--json", codes=(0, 1))
    events = [json.loads(line) for line in _own_words(app, "log", "--json").splitlines()]
    whole = [entry for entry in events if "properties" in entry["event"]]  # an erased one has only its name
    failed = [entry for entry in whole if entry["event"]["event"] == catalogue.ERRORS]
    for entry in whole:
        entry["event"]["properties"].pop("email", None)
    last = [Piece("rollcall/failed-install.json", json.dumps(failed[-1], indent=2) + "\n")] if failed else []
    own = [Piece("rollcall/status.json", status), Piece("rollcall/doctor.json", doctor)]
    return [*own, _newest_of_log(events), *last]


def _newest_of_log(events: list[object]) -> Piece:
    """The log as it is printed, or as many of its newest lines as one piece may have."""
    name, data = "rollcall/log.jsonl", "".join(json.dumps(entry) + "\n" for entry in events)
    if len(data) <= MAX_PIECE:  # it is ASCII
        return Piece(name, data)
    newest = data[-MAX_PIECE:].partition("\n")[2]
    return Piece(name, newest, f"only the last {len(newest)} of {len(data)} bytes")


def _own_words(app: App, *verb: str, codes: tuple[int, ...] = (0,)) -> str:
    """What one of our read verbs prints; in a process of its own, which acts as the state's owner."""
    environ, words = dict(app.environ), [*OWN, *verb]
    data, note = run_limited(words, environ, cwd=app.cwd, seconds=OWN_SECONDS, quiet=True, most=MOST_OWN)
    if note and note not in [f"it ended with exit code {code}" for code in codes]:
        raise CouldNot(f"{app.name} {' '.join(verb)} failed: {note}")
    return data.decode()


def _write_new(path: str, data: bytes) -> None:
    """Write a file that was not there, readable by its owner only."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with _removed_on_error(path), open(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)


@contextmanager
def _removed_on_error(path: str) -> Iterator[None]:
    """Take the file away again where something fails, or somebody presses ^C."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise


def _agreed(app: App, question: str) -> bool:
    print(f"{question} [y/N] ", end="", file=app.err, flush=True)
    return sys.stdin.readline().strip().lower() in YES
