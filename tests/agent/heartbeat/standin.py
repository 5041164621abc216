"""A stand-in for the daemon's child: says what answer.json says, and notes that it was asked.

    standin.py DIRECTORY VERB [ARGUMENT...]

`do` in answer.json: `hang`, `crash`, `noise`, `mute`, `wrong` (a setting) or `orphan`; `only` for this verb.
"""

import json
import os
import signal
import subprocess
import sys
import time

directory, *verb = sys.argv[1:]
with open(f"{directory}/answer.json", encoding="utf-8") as file:
    answer = json.load(file)
with open(f"{directory}/asked", "a", encoding="utf-8") as file:
    print(json.dumps({"verb": verb, "pid": os.getpid(), "environ": sorted(os.environ)}), file=file)
deed = answer.pop("do", None)
if answer.pop("only", verb[0]) != verb[0]:
    deed = None
if deed == "hang":
    threads = subprocess.Popen(["sleep", "600"])
    with open(f"{directory}/hanging", "w", encoding="utf-8") as file:
        file.write(str(threads.pid))
    signal.pause()
elif deed == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
elif deed == "noise":
    print("Traceback, or whatever")
elif deed == "mute":
    subprocess.Popen(["sleep", "2"], stderr=subprocess.DEVNULL)  # keeps our stdout open
    sys.exit()
elif deed == "wrong":
    print("rollcall: ROLLCALL_INTERVAL: 'soon' is no time", file=sys.stderr)
    sys.exit(2)
elif deed == "orphan" and os.fork() == 0:
    time.sleep(0.2)
    os._exit(0)
answer["recorded"] = verb[0] == "beat" and answer["sending"]
print(json.dumps(answer))
