"""Every kind of docker.env in every place, for both callers: what each verb makes of it, as JSON.

Runs as root inside a machine that has the service's user. Each verb is a fork of this process, so that
hundreds of them take seconds; `wrap` is a process of its own.
"""

import contextlib
import http.server
import io
import itertools
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from agent import cli
from agent.app import App
from agent.base.statedir import StateDir
from agent.delivery import drain, transport  # noqa: F401 - imported once, for all forks
from agent.heartbeat import health  # noqa: F401
from agent.outbox.outbox import Outbox, read_outbox
from agent.verbs import send, status, track  # noqa: F401

BASE = Path("/run/matrix")
NAME = "rollcall"
CALLER, STRANGER = 1234, 4321
USERS = {"root": 0, "the user": CALLER, "another": STRANGER}
FOLDERS = {"open": 0o755, "closed": 0o700}
MODES = ("600", "644", "666")
PLACES = {
    "ROLLCALL_ENV_FILE": BASE / "named",
    "working directory": BASE / "cwd",
    "credential": BASE / "credentials",
    "/etc/NAME": Path("/etc") / NAME,
    "~/.config/NAME": BASE / "home/.config" / NAME,
}
CALLERS = {"root": 0, "user": CALLER}
TEXTS = {"settings": "ROLLCALL_ENDPOINT={}\n", "flag": "ROLLCALL_ENDPOINT={}\nDO_NOT_TRACK=1\n"}
VERBS = {
    "beat": ["beat"],
    "flush": ["flush"],
    "track": ["track", "Something Used"],
    "status": ["status", "--json"],
}
ONE_PLACE = {"wrap": "working directory", "beat": "/etc/NAME", "flush": "credential"}
"""Where a verb is tried, if not in every place."""
PATIENCE = 60.0


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes everything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


def main(whole: str) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    serving = os.fork()
    if serving == 0:
        server.serve_forever()
    try:
        print(json.dumps(look(f"http://127.0.0.1:{server.server_address[1]}", whole == "whole")))
    finally:
        os.kill(serving, signal.SIGKILL)


def look(endpoint: str, whole: bool) -> list[list[str]]:
    """Every case and its outcome; what costs most is tried in every place only for the whole."""
    found = []
    for place, owner, mode, folder, text in itertools.product(PLACES, USERS, MODES, FOLDERS, TEXTS):
        lay(place, owner, mode, folder, TEXTS[text].format(endpoint))
        for caller, verb in itertools.product(CALLERS, [*VERBS, "wrap"]):
            if not whole and place != ONE_PLACE.get(verb, place):
                continue
            outcome = outcome_of(verb, place, CALLERS[caller], endpoint)
            found.append([place, owner, mode, folder, text, caller, verb, outcome])
        shutil.rmtree(PLACES[place])
    return found


def lay(place: str, owner: str, mode: str, folder: str, text: str) -> None:
    """Put the one docker.env of this case into its place; the other places are empty."""
    for one in (BASE, BASE / "cwd", BASE / "home"):
        one.mkdir(exist_ok=True)
        one.chmod(0o755)
    PLACES[place].mkdir(parents=True, exist_ok=True)
    file = PLACES[place] / "docker.env"
    file.write_text(text)
    file.chmod(int(mode, 8))
    os.chown(file, USERS[owner], USERS[owner])
    PLACES[place].chmod(FOLDERS[folder])


def outcome_of(verb: str, place: str, uid: int, endpoint: str) -> str:
    """What the verb makes of it: `settings and flag`, `flag only` or `silent`; else what went wrong."""
    state = StateDir(tempfile.mkdtemp(dir=BASE))  # the sender of the last wrap may still be in its own
    if verb == "flush":
        with contextlib.closing(Outbox(state)) as outbox:
            outbox.record({"messageId": "m", "event": "Something Used", "properties": {}}, "")
    service = pwd.getpwnam(NAME).pw_uid
    for path in (state.path, *(os.path.join(state.path, name) for name in os.listdir(state.path))):
        os.chown(path, uid or service, uid or service)
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(BASE / "home"),
        "LANG": "C.UTF-8",
        "ROLLCALL_STATE_DIR": state.path,
        "ROLLCALL_USAGE_TELEMETRY": "true",
    }
    if place == "ROLLCALL_ENV_FILE":
        environ["ROLLCALL_ENV_FILE"] = str(PLACES[place] / "docker.env")
    if place == "credential":
        environ["CREDENTIALS_DIRECTORY"] = str(PLACES[place])
    if verb == "wrap":
        return wrap_outcome(state, uid, environ, endpoint)
    shown = in_a_fork(VERBS[verb], uid, environ)
    if verb == "status":
        said = json.loads(shown)
        loud = "settings and flag" if said["endpoint"] == endpoint else "flag only"
        return loud if said["sending"] else "silent"
    return recorded(verb, state, endpoint)


def recorded(verb: str, state: StateDir, endpoint: str) -> str:
    with read_outbox(state) as outbox:
        entries = outbox.entries() if outbox else []
    states = {(entry.state, entry.endpoint or "") for entry in entries}
    sent = "waiting" if verb == "track" else "sent"
    meanings = {
        ("deleted", ""): "silent",
        ("waiting", ""): "flag only",
        (sent, endpoint): "settings and flag",
    }
    if not entries and verb != "flush":
        return "silent"
    return meanings.get(next(iter(states)), repr(states)) if len(states) == 1 else repr(states)


def in_a_fork(words: list[str], uid: int, environ: dict[str, str]) -> str:
    """Run a verb as this user; what it printed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            out = io.StringIO()
            os.chdir(BASE / "cwd")
            become(uid)
            cli.run_verb(words, App(environ=environ, cwd=str(BASE / "cwd"), out=out, err=io.StringIO()))
            os.write(writer, out.getvalue().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader) as file:
        shown = file.read()
    os.waitpid(pid, 0)
    return shown


def become(uid: int) -> None:
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def wrap_outcome(state: StateDir, uid: int, environ: dict[str, str], endpoint: str) -> str:
    """Wrap `true`; where it is reported, wait for the delivery that nobody waits for."""
    done = subprocess.run(
        [sys.executable, "-I", "-m", "agent", "wrap", "--", "true"], env=environ, cwd=BASE / "cwd",
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, preexec_fn=lambda: become(uid),
    )  # fmt: skip
    if "reports this installation" not in done.stderr:
        return "silent" if not os.listdir(state.path) else f"silent, but made {os.listdir(state.path)}"
    until = time.monotonic() + PATIENCE
    outcome = "nothing came"
    while time.monotonic() < until and outcome not in ("flag only", "settings and flag"):
        if os.path.exists(state.outbox):
            outcome = recorded("wrap", state, endpoint)
        time.sleep(0.01)
    return outcome


if __name__ == "__main__":
    main(sys.argv[1])
