"""The idle daemon: memory, descriptors, wake-ups and CPU, beside two that readers know.

    python -m bench daemon [MINUTES]        10 by default; 1 for a first look

All three idle side by side in the same environment, for the same minutes:
  rollcall  `rollcall daemon`, its first beat an hour away
  bare      python -I -c 'time.sleep(...)'
  plain     requests and schedule imported, run_pending() once a second: how it is usually done
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

WARM_UP_SECONDS = 15.0
BARE = "import time; time.sleep(86400)"
PLAIN = """
import requests, schedule, time
schedule.every(6).hours.do(requests.get, "http://127.0.0.1:9")
while True:
    schedule.run_pending()
    time.sleep(1)
"""
CONTENDERS = {
    "rollcall": ["-I", "-m", "agent", "daemon"],
    "bare": ["-I", "-c", BARE],
    "plain": ["-I", "-c", PLAIN],
}


@dataclass(frozen=True)
class Look:
    """One look at a process in /proc."""

    rss: int
    pss: int
    descriptors: int
    switches: int
    cpu: float


def look(pid: int) -> Look:
    place = Path(f"/proc/{pid}")
    memory = dict(re.findall(r"^(\w+): +(\d+) kB", (place / "smaps_rollup").read_text(), re.MULTILINE))
    switches = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (place / "status").read_text(), re.MULTILINE)
    assert switches
    nanoseconds = int((place / "schedstat").read_text().split()[0])
    descriptors = len(list((place / "fd").iterdir()))
    return Look(int(memory["Rss"]), int(memory["Pss"]), descriptors, int(switches[1]), nanoseconds / 1e9)


def idle(seconds: float) -> dict[str, tuple[Look, Look]]:
    """Each contender at the beginning and at the end of so many idle seconds."""
    with tempfile.TemporaryDirectory() as home:
        environ = {"HOME": home, "PATH": os.defpath, "ROLLCALL_FIRST_DELAY": "1h", "ROLLCALL_JITTER": "0"}
        environ |= {"ROLLCALL_STATE_DIR": f"{home}/state"}
        running = {
            name: subprocess.Popen([sys.executable, *arguments], env=environ, cwd=home)
            for name, arguments in CONTENDERS.items()
        }
        try:
            threading.Event().wait(WARM_UP_SECONDS)
            before = {name: look(process.pid) for name, process in running.items()}
            threading.Event().wait(seconds)
            return {name: (before[name], look(process.pid)) for name, process in running.items()}
        finally:
            for process in running.values():
                process.kill()
                process.wait()


def main(argv: Sequence[str]) -> int:
    """Measure once, print a row a contender; memory as ratios to bare."""
    minutes = float(argv[0]) if argv else 10.0
    found = idle(minutes * 60)
    bare = found["bare"][1].rss
    print(f"idle for {minutes:g} minutes, Python {sys.version.split()[0]}")
    print(f"{'':10}{'RSS MiB':>9}{'x bare':>8}{'PSS MiB':>9}{'fds':>5}{'wake-ups/h':>12}{'CPU s/day':>11}")
    for name, (before, after) in found.items():
        rss = statistics.median([before.rss, after.rss])
        wakes = (after.switches - before.switches) * 60 / minutes
        cpu = (after.cpu - before.cpu) * 1440 / minutes
        print(
            f"{name:10}{rss / 1024:9.1f}{rss / bare:8.2f}{after.pss / 1024:9.1f}"
            f"{after.descriptors:5}{wakes:12.0f}{cpu:11.2f}"
        )
    return 0
