"""How long wrapped `true` takes with each kind of endpoint, in turns; prints JSON of seconds.

Runs in a mount and network namespace of its own, where the one name server never answers.
"""

import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import environ
from tests.deadends import BlackHole, unused_port
from tests.e2e.wrap.side_by_side import WRAP
from tests.receiver import Receiver, answer

CAPTURED = ["bash", "-c", 'x=$("$@" 2>/dev/null)', "x", *WRAP, "--", "true"]


def main(rounds: int) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute,
        Receiver() as healthy,
        Receiver(then=answer(500)) as failing,
        BlackHole() as hole,
    ):
        mute.bind(("127.0.0.1", 53))
        resolv = Path(place, "resolv.conf")
        resolv.write_text("nameserver 127.0.0.1\n")
        subprocess.run(["mount", "--bind", resolv, "/etc/resolv.conf"], check=True)
        endpoints = {
            "healthy": healthy.endpoint,
            "black hole": hole.endpoint,
            "refused": f"http://127.0.0.1:{unused_port()}",
            "no such name": "http://collector.example.org",
            "500": failing.endpoint,
        }
        taken: dict[str, list[float]] = {name: [] for name in endpoints}
        for _ in range(rounds):
            for name, endpoint in endpoints.items():
                state = Path(place, name.replace(" ", "-"))
                environment = environ.bare(place, ROLLCALL_STATE_DIR=str(state), ROLLCALL_ENDPOINT=endpoint)
                began = time.monotonic()
                subprocess.run(CAPTURED, env=environment, check=True)
                taken[name].append(time.monotonic() - began)
        asked = healthy.wait_for(1) and failing.wait_for(1) and mute.recv(512)
        print(json.dumps({"taken": taken, "asked": "example" in repr(asked)}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
