"""`support --bundle`: collect, redact, show, and seal a support bundle. Only a person starts it."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from typing import TYPE_CHECKING

from agent.app import DONE, App, CouldNot, WrongUse
from agent.bundle.collect import Piece, collect, run_limited, within_limit
from agent.bundle.pack import make_tar, report
from agent.bundle.redact import Leak, Redactor, find_leak
from agent.bundle.seal import Seal, SealError
from agent.bundle.support_list import ListError, read_support_list
from agent.bundle.surroundings import known_here
from agent.events import catalogue

if TYPE_CHECKING:
    import argparse

OWN = (sys.executable, "-I", "-m", "agent")
OWN_SECONDS = 30.0
YES = ("y", "yes")


def make_bundle(app: App, args: argparse.Namespace) -> int:
    """Write a sealed bundle to a file, once a person has seen what is in it."""
    seal = _seal(app, args)
    plain, plain_path = _plain_bundle(app), f"{args.out}.tar"
    _write_new(plain_path, plain)
    app.say(f"this is the whole bundle, and nothing else is sealed: {plain_path}")
    app.say(f"it can be opened only with the key whose thumbprint is {seal.thumbprint}")
    if not args.yes and not _agreed(app):
        os.unlink(plain_path)
        app.say("nothing was sealed; the plain bundle is deleted")
        return DONE
    sealed = seal.seal(plain)
    _write_new(args.out, sealed)
    digest = hashlib.sha256(sealed).hexdigest()
    app.say(f"sealed: {args.out}, {len(sealed)} bytes, SHA-256 {digest}; send this file to your vendor")
    return DONE


def _seal(app: App, args: argparse.Namespace) -> Seal:
    """The key, once all that could stop us later is looked at. Nothing is collected before."""
    key = app.situation.settings.support_key
    if not key:
        raise CouldNot("your vendor gave no key to seal a bundle for: ROLLCALL_SUPPORT_KEY is not set")
    if not args.out:
        raise WrongUse("--bundle needs --out FILE, the file to write")
    if not args.yes and not sys.stdin.isatty():
        raise WrongUse("there is no terminal to show the bundle on; use --yes")
    for path in (args.out, f"{args.out}.tar"):
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
    redacted = [Piece(name, text, note) for name, text, note in zip(parts, parts, parts)]
    shown = report(redacted, redactor.counts)
    if leak := find_leak(shown, redactor.known):
        raise CouldNot(f"{leak}, in the report; nothing was sealed or written")
    print(shown, end="", file=app.err)
    return make_tar(redacted, shown, app.now())


def _own_pieces(app: App) -> list[Piece]:
    """What Rollcall knows: its status, its log without e-mail addresses, and the last install that failed."""
    status = _own_words(app, "status", "--json")
    events = [json.loads(line) for line in _own_words(app, "log", "--json").splitlines()]
    failed = [entry for entry in events if (entry["event"] or {}).get("event") == catalogue.ERRORS]
    for entry in events:
        if entry["event"]:
            entry["event"]["properties"].pop("email", None)
    log = "".join(json.dumps(entry) + "\n" for entry in events)
    last = [Piece("rollcall/failed-install.json", json.dumps(failed[-1], indent=2) + "\n")] if failed else []
    return [Piece("rollcall/status.json", status), Piece("rollcall/log.jsonl", log), *last]


def _own_words(app: App, *verb: str) -> str:
    """What one of our read verbs prints; in a process of its own, which acts as the state's owner."""
    data, note = run_limited([*OWN, *verb], dict(app.environ), cwd=app.cwd, seconds=OWN_SECONDS, quiet=True)
    if note:
        raise CouldNot(f"{app.name} {' '.join(verb)} failed: {note}")
    return data.decode()


def _write_new(path: str, data: bytes) -> None:
    """Write a file that was not there, readable by its owner only."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)


def _agreed(app: App) -> bool:
    print("Seal it? [y/N] ", end="", file=app.err, flush=True)
    return sys.stdin.readline().strip().lower() in YES
