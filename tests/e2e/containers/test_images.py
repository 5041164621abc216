"""Both images in real containers: what is in them, what they need, how they end, and that off is silent."""

import json
import time
from datetime import datetime

import pytest

from tests.e2e.containers.host import AGENT, BASE, COLLECTOR, ENDPOINT, Host
from tests.wait import until

pytestmark = [
    pytest.mark.once,
    pytest.mark.serial,
    pytest.mark.timeout(600),
    pytest.mark.needs("root", "systemd", "nft", "mmdebstrap", "podman"),
]

MEGABYTE = 10**6
OVER_THE_BASE = {AGENT: 35 * MEGABYTE, COLLECTOR: 60 * MEGABYTE}
BARE = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--user=12345:0", "--network=none")
FAST = ("ROLLCALL_INTERVAL=1s", "ROLLCALL_FIRST_DELAY=0", "ROLLCALL_JITTER=0")
FAST_BEATS = tuple(f"--env={setting}" for setting in FAST)
STOP_SECONDS = 1.0
HOLDS = """
import glob, importlib.metadata as metadata, json, re, sys
parts = json.load(open(sys.argv[1] + "/sbom.cdx.json"))["components"]
(place,) = glob.glob(sys.argv[1] + "/lib/python3*/site-packages")
held = list(metadata.distributions(path=[place]))
texts = re.compile("(LICEN[CS]E|COPYING|NOTICE)[^/]*$", re.IGNORECASE)
bare = [one.name for one in held if not any(texts.search(str(file)) for file in one.files)]
name = lambda one: re.sub("[-_.]+", "-", one).lower()
print(json.dumps([
    sorted([name(part["name"]), part["version"]] for part in parts),
    sorted([name(one.name), one.version] for one in held),
    bare,
]))
"""
COUNT = """
nft add table inet count
nft 'add chain inet count out { type filter hook output priority 0; }'
nft add rule inet count out meta skuid 65532 counter
"""


def test_an_image_is_small_and_says_what_it_is(host: Host) -> None:
    base = int(host.inspect(BASE, ".Size"))
    for image, most in OVER_THE_BASE.items():
        assert int(host.inspect(image, ".Size")) - base < most
        labels = json.loads(host.inspect(image, "json .Config.Labels"))
        assert labels["org.opencontainers.image.version"] == "0.1.0"
        assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_an_image_holds_what_its_sbom_lists_with_the_licences(host: Host) -> None:
    for image, command in ((AGENT, "rollcall"), (COLLECTOR, "rollcall-collector")):
        python = f"/opt/{command}/bin/python"
        words = ["--rm", "--network=none", f"--entrypoint={python}", image, "-c", HOLDS, f"/opt/{command}"]
        listed, held, bare = json.loads(host.podman("run", *words))
        assert listed == held
        assert bare == []
        assert ["rollcall-telemetry", "0.1.0"] in held


@pytest.mark.parametrize("tool", ["/usr/local/lib/python3*/site-packages/pip", "/usr/bin/gcc /usr/bin/cc"])
def test_no_tool_of_building_is_left(host: Host, tool: str) -> None:
    words = ["--rm", "--network=none", "--entrypoint=sh"]

    def found(image: str) -> bool:
        return "FOUND" in try_in(host, *words, image, "-c", f"ls -d {tool} && echo FOUND")

    assert [image for image in (AGENT, COLLECTOR) if found(image)] == []
    if "pip" in tool:
        assert found(BASE)


def try_in(host: Host, *words: str) -> str:
    return host.podman("run", *words, check=False)


def test_it_needs_no_rights_no_network_and_one_volume(host: Host) -> None:
    host.podman("run", "-d", "--name=bare", *BARE, *FAST_BEATS, "-v=bare:/var/lib/rollcall", AGENT)
    until(lambda: len(host.log("bare")) > 1, why="it beats")
    assert {event["event"] for event in host.log("bare")} == {"Instance Active"}
    instance = host.status("bare")["instanceId"]
    assert host.podman("healthcheck", "run", "bare") == ""
    python = ("/opt/rollcall/bin/python", "-I", "-c", "print(open('/proc/self/status').read())")
    assert resident(host.said("bare", "cat", "/proc/1/status")) < 2 * resident(host.said("bare", *python))
    lines = host.podman("logs", "bare").splitlines()
    assert [set(json.loads(line)) for line in lines] == [{"at", "name", "message"}] * len(lines)
    assert lines

    host.podman("kill", "--signal=KILL", "bare")
    until(lambda: host.inspect("bare", ".State.Status") == "exited")
    host.podman("start", "bare")
    until(lambda: host.status("bare")["instanceId"] == instance, why="the volume keeps the id")
    assert took_to_end(host, "bare") < STOP_SECONDS
    assert host.inspect("bare", ".State.ExitCode") == "0"
    host.podman("rm", "--volumes", "bare")
    host.podman("volume", "rm", "bare")


def resident(status: str) -> int:
    """The memory of a process, from its /proc/PID/status."""
    return int(status.split("VmRSS:")[1].split(maxsplit=1)[0])


def took_to_end(host: Host, container: str) -> float:
    """Seconds from SIGTERM to its end, without what podman itself takes for a signal."""
    began = time.time()
    host.podman("kill", "--signal=CONT", container)
    asked = time.time()
    host.podman("kill", "--signal=TERM", container)
    until(lambda: host.inspect(container, ".State.Status") == "exited")
    at = host.inspect(container, '.State.FinishedAt.Format "2006-01-02T15:04:05.000-07:00"')
    return datetime.fromisoformat(at).timestamp() - asked - (asked - began)


def test_a_setting_that_does_not_parse_ends_it(host: Host) -> None:
    said = try_in(host, "--name=wrong", "--network=none", "--env=ROLLCALL_INTERVAL=soon", AGENT)
    assert "ROLLCALL_INTERVAL" in json.loads(said.splitlines()[0])["message"]
    assert host.inspect("wrong", ".State.ExitCode") == "2"
    host.podman("rm", "wrong")


def test_off_is_silent_to_the_packet(host: Host) -> None:
    """Counted in the network namespace of a pod."""
    host.podman("pod", "create", "--name=wire", f"--infra-image={BASE}", "--infra-command=sleep infinity")
    host.podman("pod", "start", "wire")
    pause = host.podman("pod", "inspect", "--format={{.InfraContainerID}}", "wire")
    wire = f"nsenter --net=/proc/{host.inspect(pause, '.State.Pid')}/ns/net"
    for line in COUNT.strip().splitlines():
        host.machine.run("sh", "-c", f"{wire} {line}")

    def packets() -> int:
        rules = json.loads(host.machine.run("sh", "-c", f"{wire} nft -j list chain inet count out"))[
            "nftables"
        ]
        (counter,) = [
            e["counter"] for rule in rules for e in rule.get("rule", {}).get("expr", []) if "counter" in e
        ]
        return int(counter["packets"])

    words = ["-d", "--pod=wire", *FAST_BEATS, f"--env=ROLLCALL_ENDPOINT={ENDPOINT}"]
    host.podman("run", "--name=off", *words, "--env=ACME_DISABLE_TELEMETRY=1", AGENT)
    until(lambda: "silent" in host.podman("logs", "off"), why="it has looked")
    for verb in ("beat", "flush", "status"):
        host.podman("exec", "off", "rollcall", verb)
    host.podman("exec", "off", "sh", "-c", 'test -z "$(ls -A /var/lib/rollcall)"')
    host.podman("rm", "--force", "off")
    assert packets() == 0

    host.podman("run", "--name=on", *words, f"--env=ROLLCALL_WRITE_KEY={host.key}", AGENT)
    until(lambda: packets() > 0, why="the counter moves when it is loud")
    instance = until(lambda: host.status("on")["instanceId"], why="it has an id")
    until(lambda: instance in {event["anonymousId"] for event in host.arrived()}, why="its beats arrive")
    host.podman("pod", "rm", "--force", "wire")


@pytest.mark.parametrize("user", ["12345:0", "0:0"])
def test_prove_says_that_a_container_without_user_namespaces_cannot(host: Host, user: str) -> None:
    """By rules for system calls, as Docker has them. Where it is read-only there is no /tmp either."""
    rules = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["unshare"], "action": "SCMP_ACT_ERRNO"}],
    }
    host.machine.path("/var/tmp/rules.json").write_text(json.dumps(rules))
    for more, why in (("", "no network namespace of its own"), (" ".join(BARE[:2]), "no temporary folder")):
        words = f"--rm --network=none --cap-drop=all --user={user} --security-opt=seccomp=/var/tmp/rules.json"
        said = host.machine.run("sh", "-c", f"podman run {words} {more} {AGENT} prove --json; echo $?")
        evidence, code = said.strip().rsplit("\n", 1)
        assert (code, why in json.loads(evidence)["cannot"]) == ("5", True), said


def test_the_collector_needs_no_rights_and_one_volume(host: Host) -> None:
    """The host's own collector runs already, and was built and started in one command."""
    words = ["--read-only", "--cap-drop=all", "--user=12345:0", "--network=none"]
    host.podman("run", "-d", "--name=second", *words, "-v=second:/var/lib/rollcall-collector", COLLECTOR)
    until(lambda: host.podman("healthcheck", "run", "second", check=False) == "", why="it is healthy")
    assert "KEY" not in host.podman("logs", "second"), "a container's log is no place for a key"
    assert "/setup" in host.podman("exec", "second", "rollcall-collector", "setup-link")
    assert took_to_end(host, "second") < STOP_SECONDS
    host.podman("rm", "second")
    assert host.podman("run", "--rm", "-v=second:/v", "--entrypoint=ls", COLLECTOR, "/v").splitlines() != []
    host.podman("volume", "rm", "second")
