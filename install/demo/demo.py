"""Both sides of Rollcall at work: what an operator types and sees, and what a vendor sees of it.

Started by install.sh --demo in the demo's own environment. What it makes lies in one folder below
.venv-demo, and is gone when it ends; with --once it ends by itself, 0 only if every event arrived.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sides import Collector, Operator

HERE = Path(__file__).resolve().parent
DEMO = HERE.parents[1] / ".venv-demo"
COMMAND = DEMO / "rollcall"
SUCCEEDS, FAILS = HERE / "succeeds.sh", HERE / "fails.sh"
RUN = "run-"
EXPECTED = 6
ARRIVAL_SECONDS = 20.0
SILENT_SECONDS = 2.0
LOOK_SECONDS = 0.1
ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
PR_SET_CHILD_SUBREAPER = 36
FLAG = "DO_NOT_TRACK=1 "

SIDES = """
Rollcall has two sides. This demo runs both on this machine:

operator  runs the software "Acme Board"; its command `rollcall` is {rollcall} here
vendor    makes Acme Board; its collector takes the events and shows them on a page. This link opens it, once:
          {link}
"""

NEXT = """
The vendor's page is there until the demo ends. If you have not opened it yet, this is a new link:
{link}

In another terminal you are the operator. What you send appears below, and on the page:

{rollcall} status     # is anything sent, and why
{rollcall} preview    # the exact JSON of every event
{rollcall} log        # everything that was recorded, and whether it was sent
{rollcall} beat       # sends one more heartbeat
{rollcall} disable    # sets the flag until `enable`

Ctrl-C ends the demo.
"""


def say(text: str = "") -> None:
    print(text, flush=True)


def event_line(event: dict[str, Any]) -> str:
    """An event in a line: its name, and what a vendor would look at first."""
    name, properties = event["event"], event["properties"]
    if name == "Installation Success":
        what = f"on {properties['os']}, in {properties['durationSeconds']} s"
    elif name == "Installation Errors":
        place = f" in {properties['script']}, line {properties['line']}" if "line" in properties else ""
        program = f", program {properties['command']}" if "command" in properties else ""
        what = f"exit code {properties['exitCode']}{place}{program}"
    elif name == "Installation Support":
        what = f"{properties['email']} asks for help, reference {properties['reference']}"
    elif name == "Instance Active":
        what = json.dumps(properties)
    else:
        what = f"on {properties['os']}" if "os" in properties else ""
    return f"vendor → {name:<20}  {what}".rstrip()


def show_arrivals(collector: Collector, expected: int) -> None:
    """Show events as they arrive, until that many came."""
    until, wanted = time.monotonic() + ARRIVAL_SECONDS, collector.seen + expected
    while collector.seen < wanted and time.monotonic() < until:
        show_new_events(collector)
        time.sleep(LOOK_SECONDS)


def show_new_events(collector: Collector) -> None:
    for event in collector.new_events():
        say(event_line(event))
        if "line" in event["properties"]:
            say(f"vendor: in its own script that line is: {failing_line(event['properties'])}")


def failing_line(properties: dict[str, Any]) -> str:
    """The line that failed. Its text is not sent: the vendor has the script."""
    return str((HERE / properties["script"]).read_text().splitlines()[properties["line"] - 1])


def send(collector: Collector, operator: Operator) -> None:
    """What sends events: two installs, a request for help, a heartbeat."""
    say("\n1. An install that succeeds. The operator sees its output, and what Rollcall reports of it.\n")
    operator.installs(SUCCEEDS)
    show_arrivals(collector, 2)
    say("\n2. An install that fails. The vendor sees where.\n")
    code = operator.installs(FAILS)
    say(f"operator: exit code {code}, as without Rollcall")
    show_arrivals(collector, 2)
    say("\n3. The operator wants help with it. Only this event has an e-mail address.\n")
    operator.types(f"{operator.rollcall} support --email you@example.org")
    show_arrivals(collector, 1)
    say("\n4. A heartbeat. The service sends one every six hours. It says the instance's id, nothing else.\n")
    operator.types(f"{operator.rollcall} beat")
    show_arrivals(collector, 1)


def refuse(collector: Collector, operator: Operator) -> int:
    """The same with a flag set; how many events arrived all the same."""
    say("\n5. The flag DO_NOT_TRACK, set before each command. Nothing is sent.\n")
    before = collector.seen
    operator.installs(SUCCEEDS, FLAG)
    until = time.monotonic() + SILENT_SECONDS
    operator.types(f"{FLAG}{operator.rollcall} beat")
    operator.types(f"{FLAG}{operator.rollcall} status | grep sending")
    while time.monotonic() < until:
        show_new_events(collector)
        time.sleep(LOOK_SECONDS)
    show_new_events(collector)  # the commands alone may have taken longer than that
    came = collector.seen - before
    say(f"vendor → {came} new events: {before} before the flag was set, {collector.seen} now")
    return came


def tour(collector: Collector, operator: Operator) -> bool:
    """All uses, one after the other; whether what was to arrive did, and nothing else."""
    say(SIDES.format(rollcall=operator.rollcall, link=collector.new_link()).rstrip())
    send(collector, operator)
    arrived = collector.seen
    unwanted = refuse(collector, operator)
    say(f"\n{arrived} of {EXPECTED} events arrived, and {unwanted or 'none'} with the flag set.")
    return arrived == EXPECTED and not unwanted


def stay(collector: Collector, operator: Operator) -> None:
    """Show what else arrives, until Ctrl-C. It is waited for: as an exception it could come amid anything."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    say(NEXT.format(rollcall=operator.rollcall, link=collector.new_link()))
    while signal.sigtimedwait(ENDING, LOOK_SECONDS) is None and collector.server.poll() is None:
        show_new_events(collector)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards, with what a demo that was killed left behind."""
    for left in DEMO.glob(RUN + "*"):
        shutil.rmtree(left, ignore_errors=True)
    place = Path(tempfile.mkdtemp(prefix=RUN, dir=DEMO))
    try:
        yield place
    finally:
        end_what_runs()
        shutil.rmtree(place, ignore_errors=True)
        COMMAND.unlink(missing_ok=True)


def adopt_orphans() -> None:
    """A sender leaves its parent behind; what does so becomes a child of the demo."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_what_runs() -> None:
    """End all that the demo started and that still runs. What a child leaves behind is a child then."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    with contextlib.suppress(FileNotFoundError):  # not every kernel has it
        while pids := children.read_text().split():
            for pid in map(int, pids):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def end_early(*_: object) -> None:
    """The first signal ends the demo, and a second one does not disturb that."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    raise KeyboardInterrupt


def main(argv: list[str]) -> int:
    for number in ENDING:
        signal.signal(number, end_early)
    adopt_orphans()
    once, arrived = "--once" in argv, False
    with contextlib.suppress(KeyboardInterrupt), folder() as place:
        from sides import Collector, Operator  # takes so long that Ctrl-C may come meanwhile

        collector = Collector(place)
        operator = Operator(place, COMMAND, collector)
        arrived = tour(collector, operator)
        if not once:
            stay(collector, operator)
        collector.stop()
    if not once:
        say("\nStopped. Nothing of the demo is left but .venv-demo, kept for the next time.")
    return 0 if arrived else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
