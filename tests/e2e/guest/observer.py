"""Runs inside the virtual machine: notes when heartbeats land, may set the clock, reports, ends.

Takes no argument but the plan: pairs of hours since boot and hours to move the clock by.
"""

import json
import os
import sqlite3
import subprocess
import sys
import time

HOURS = 25
LOOK_SECONDS = 60
OUTBOX = "/var/lib/rollcall/outbox.db"
COUNT = "SELECT count(*) FROM event"


def uptime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def written() -> int:
    try:
        return os.stat(OUTBOX).st_mtime_ns
    except OSError:
        return 0


def count() -> int:
    try:
        database = sqlite3.connect(f"file:{OUTBOX}?mode=ro", uri=True)
        (found,) = database.execute(COUNT).fetchone()
        database.close()
    except sqlite3.Error:
        return 0
    return int(found)


def show(key: str) -> str:
    command = ["systemctl", "show", "--value", "-p", key, "rollcall.service"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def say(line: str) -> None:
    with open("/dev/ttyS0", "w", encoding="utf-8") as console:
        console.write(f"\n{line}\n")


def main() -> None:
    plan = json.loads(sys.argv[1])
    beats: list[float] = []
    seen, hour = 0, 0.0
    while uptime() < HOURS * 3600:
        time.sleep(LOOK_SECONDS)
        if seen != (seen := written()):  # each instruction costs: opening the database, many
            beats += [uptime()] * (count() - len(beats))
        if uptime() // 3600 > hour:
            hour = uptime() // 3600
            say(f"HOUR {hour:.0f}")
        if plan and uptime() > plan[0][0] * 3600:
            time.clock_settime(time.CLOCK_REALTIME, time.time() + plan.pop(0)[1] * 3600)
    found = {"beats": beats, "restarts": show("NRestarts"), "status": show("StatusText")}
    say(f"REPORT {json.dumps(found)}")
    subprocess.run(["systemctl", "poweroff", "--force", "--force"], check=False)


main()
