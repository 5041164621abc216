"""All of Rollcall at work: a collector, two installations, a heartbeat, and the events as they land.

Started by install.sh --demo in the demo's own environment. What it makes lies in one folder below
.venv-demo, and is gone when it ends; with --once it ends by itself, 0 only if every event arrived.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.admin.transfer import export_events
from collector.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
DEMO = HERE.parents[1] / ".venv-demo"
RUN = "run-"
EXPECTED = 5
ARRIVAL_SECONDS = 20.0
LOOK_SECONDS = 0.2
ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
PR_SET_PDEATHSIG = 1
KEPT = ("PATH", "TERM", "LANG", "LC_ALL", "HOME", "NO_COLOR")

COMMAND = """\
#!/bin/sh
# The demo's own rollcall: its state, settings and collector, and nobody else's.
export {variables}
exec "{python}" -I -m agent "$@"
"""

NEXT = """\
   {command} status     # whether anything is sent, and why
   {command} preview    # the exact JSON of every event
   {command} log        # all that was recorded, and what became of it
   {command} support --email you@example.org    # ask for help with the one that failed
   {command} disable    # silence; enable ends it
"""


class Collector:
    """The vendor's side: a server of its own, on a port that the kernel chose."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/collector.db"
        self.errors = (folder / "collector.log").open("wb")
        environment = {
            **os.environ,
            "ROLLCALL_COLLECTOR_LISTEN": "127.0.0.1:0",
            "ROLLCALL_COLLECTOR_DB": self.url,
        }
        self.server = subprocess.Popen(
            [sys.executable, "-I", "-m", "collector", "serve"],
            cwd=folder,
            env={name: value for name, value in environment.items() if name != "JOURNAL_STREAM"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - there are no threads here
        )
        lines = iter(self.server.stdout or ())
        said = dict(next(lines, "").strip().partition("=")[::2] for _ in range(2))
        self.address, self.key = said.get("ROLLCALL_ENDPOINT", ""), said.get("ROLLCALL_WRITE_KEY", "")
        if not self.key:
            raise SystemExit(f"demo: the collector did not start: {(folder / 'collector.log').read_text()}")
        self.store = open_store(self.url)
        self.seen = 0

    def landed(self) -> list[dict[str, Any]]:
        """The events that came since the last look."""
        lines = io.BytesIO()
        export_events(self.store, lines, lambda _: None)
        new = lines.getvalue().splitlines()[self.seen :]
        self.seen += len(new)
        return sorted((json.loads(line) for line in new), key=lambda event: str(event["timestamp"]))

    def stop(self) -> None:
        self.store.close()
        self.server.terminate()
        self.server.wait()
        self.errors.close()


class Sample:
    """The operator's side: the sample product, set up as its vendor would."""

    def __init__(self, folder: Path, collector: Collector) -> None:
        key = folder / "write-key"
        key.touch(mode=0o600)
        key.write_text(collector.key)
        (folder / "docker.env").write_text(
            f"ROLLCALL_ENDPOINT={collector.address}\nROLLCALL_WRITE_KEY_FILE='{key}'\n"
            "ROLLCALL_PRODUCT=Acme Board\nROLLCALL_PRODUCT_VERSION=1.4.2\n"
        )
        (folder / "docker.env").chmod(0o600)
        self.folder = folder
        self.places = {
            "ROLLCALL_ENV_FILE": str(folder / "docker.env"),
            "ROLLCALL_STATE_DIR": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_STATE_HOME": str(folder / "config"),
        }
        variables = " ".join(f'{name}="{value}"' for name, value in self.places.items())
        self.command = DEMO / "rollcall"
        self.command.write_text(COMMAND.format(variables=variables, python=sys.executable))
        self.command.chmod(0o755)

    def rollcall(self, *words: str) -> None:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        command = [sys.executable, "-I", "-m", "agent", *words]
        subprocess.run(command, cwd=self.folder, env={**kept, **self.places}, check=False)

    def install(self, script: str) -> None:
        shell = shutil.which("bash") or "/bin/sh"
        self.rollcall("wrap", "--no-input", "--", shell, str(HERE / script))


def end_with_parent() -> None:
    """Nothing that was started outlives the demo, even if it is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def event_line(event: dict[str, Any]) -> str:
    """An event in a line: its name, and what a vendor would look at first."""
    name, properties = event["event"], event["properties"]
    if name == "Installation Success":
        what = f"on {properties['os']}, in {properties['durationSeconds']} s"
    elif name == "Installation Errors":
        place = f" in {properties['script']}, line {properties['line']}" if "line" in properties else ""
        program = f" ({properties['command']})" if "command" in properties else ""
        what = f"exit code {properties['exitCode']}{place}{program}"
    elif name == "Installation Support":
        what = f"help is wanted; reference {properties['reference']}"
    elif name == "Instance Active":
        what = f"instance {str(properties['instanceId'])[:8]}… is alive"
    else:
        what = f"on {properties['os']}" if "os" in properties else ""
    return f"   → {name:<21} {what}".rstrip()


def say(text: str = "") -> None:
    print(text, flush=True)


def show_arrivals(collector: Collector, expected: int) -> int:
    """Show that many events as they land; how many came."""
    say()
    deadline, came = time.monotonic() + ARRIVAL_SECONDS, 0
    while came < expected and time.monotonic() < deadline:
        for event in collector.landed():
            say(event_line(event))
            came += 1
        time.sleep(LOOK_SECONDS)
    return came


def tour(collector: Collector, sample: Sample) -> bool:
    """Two installations and a heartbeat; whether all of their events arrived."""
    say(f"A vendor's collector takes events, and shows them on its page: {collector.address}/")
    say("\n1. An installation that succeeds: rollcall wrap -- succeeds.sh\n")
    sample.install("succeeds.sh")
    came = show_arrivals(collector, 2)
    say("\n2. One that fails: rollcall wrap -- fails.sh\n")
    sample.install("fails.sh")
    came += show_arrivals(collector, 2)
    say("\n3. A heartbeat, as the service sends it every six hours: rollcall beat")
    sample.rollcall("beat")
    came += show_arrivals(collector, 1)
    say(f"\n{came} of {EXPECTED} events arrived.")
    return came == EXPECTED


def stay(collector: Collector, sample: Sample) -> None:
    """Show what else lands, until Ctrl-C. It is waited for: as an exception it could come amid anything."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    say(f"They are on the vendor's page: {collector.address}/")
    say("\nTry next, in another terminal:\n")
    say(NEXT.format(command=os.path.relpath(sample.command)))
    say("What you send appears here and on the page. Ctrl-C ends the demo.\n")
    while signal.sigtimedwait(ENDING, LOOK_SECONDS) is None and collector.server.poll() is None:
        for event in collector.landed():
            say(event_line(event))


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards, with what a demo that was killed left behind."""
    for left in DEMO.glob(RUN + "*"):
        shutil.rmtree(left, ignore_errors=True)
    place = Path(tempfile.mkdtemp(prefix=RUN, dir=DEMO))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        (DEMO / "rollcall").unlink(missing_ok=True)


def main(argv: list[str]) -> int:
    for number in ENDING:
        signal.signal(number, signal.default_int_handler)
    arrived = False
    with folder() as place, contextlib.suppress(KeyboardInterrupt):
        collector = Collector(place)
        try:
            sample = Sample(place, collector)
            arrived = tour(collector, sample)
            if "--once" not in argv:
                stay(collector, sample)
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
            collector.stop()
    if "--once" not in argv:
        say("\nStopped; nothing of the demo is left but .venv-demo, kept for the next time.")
    return 0 if arrived else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
