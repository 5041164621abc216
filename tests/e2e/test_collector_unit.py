"""The collector as a service, under a real systemd."""

import json
import re
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.collector_service import NAME, PYTHON, UNIT, VERB, install_collector
from tests.e2e.machine import Machine, booted
from tests.e2e.product import render
from tests.wait import until

pytestmark = pytest.mark.needs("root", "systemd")

EVENT = {"type": "track", "event": "Instance Active", "anonymousId": "a"}
POST = """
import base64, json, sys, urllib.request
key, event = sys.argv[1:]
request = urllib.request.Request("http://127.0.0.1:8787/v1/track", event.encode())
request.add_header("Authorization", "Basic " + base64.b64encode(f"{key}:".encode()).decode())
print(urllib.request.urlopen(request, timeout=30).status)
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with booted() as one:
        install_collector(one)
        yield one


def test_the_collectors_unit_is_as_strict(machine: Machine) -> None:
    assert machine.run("systemd-analyze", "verify", UNIT) == ""
    report = machine.run("systemd-analyze", "security", "--no-pager", UNIT)
    assert float(report.split("exposure level for")[1].split(":")[1].split()[0]) <= 1.2
    explained = " ".join(line for line in render(UNIT, NAME, PYTHON).splitlines() if line.startswith("#"))
    gaps = [line.split()[1] for line in report.splitlines() if line.startswith("✗")]
    assert gaps
    for gap in gaps:
        families = re.findall("INET6|AF_UNIX", gap)
        assert (families or [gap.split("=")[0]])[0] in explained, gap


def taken(machine: Machine, message_id: str) -> Callable[[], bool]:
    """Start it and have it take an event, under a key of its own; what is returned sends it again."""
    machine.run("systemctl", "start", UNIT)  # Type=notify: this waits for READY
    key = machine.run(*VERB, "keys", "add", message_id).splitlines()[-1]

    event = json.dumps({**EVENT, "messageId": message_id})

    def answer() -> bool:
        return machine.run(PYTHON, "-I", "-c", POST, key, event, check=False) == "200"

    until(answer, why="the new key is noticed")
    return answer


def test_it_starts_takes_an_event_once_and_stops(machine: Machine) -> None:
    again = taken(machine, "taken-once")
    assert machine.show(UNIT, "StatusText") == "receiving events"
    assert again(), "under the same messageId"
    exported = machine.run(*VERB, "export", "-")
    assert exported.count('"messageId":"taken-once"') == 1
    machine.run("systemctl", "stop", UNIT)
    assert machine.show(UNIT, "Result") == "success"
    assert "Traceback" not in machine.journal(UNIT)


def test_it_is_started_again_after_a_kill_with_what_it_has_taken(machine: Machine) -> None:
    dropped = machine.path(f"/etc/systemd/system/{UNIT}.d")
    dropped.mkdir()
    (dropped / "soon.conf").write_text("[Service]\nRestartSec=100ms\n")
    machine.run("systemctl", "daemon-reload")
    taken(machine, "taken-before")
    before = machine.show(UNIT, "MainPID")
    machine.run("systemctl", "kill", "-s", "KILL", UNIT)
    until(lambda: machine.show(UNIT, "MainPID") not in {"0", before})
    until(lambda: machine.show(UNIT, "ActiveState") == "active")
    assert '"taken-before"' in machine.run(*VERB, "export", "-")
