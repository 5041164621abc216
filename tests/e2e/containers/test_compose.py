"""The example for a product in containers, end to end: as a vendor ships it, and as an operator runs it."""

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.e2e.containers.host import AGENT, BASE, ENDPOINT, EPOCH, ISOLATED, Host
from tests.install import archive
from tests.install.test_vendors import recipe
from tests.wait import PATIENCE, until

pytestmark = [
    pytest.mark.once,
    pytest.mark.serial,
    pytest.mark.timeout(600),
    pytest.mark.needs("root", "systemd", "bash", "mmdebstrap", "podman"),
]

NAME = "rollcall-acme-board"
STATE = f"/var/lib/{NAME}"
SHOP = "/var/tmp/acme"
PLACE = "/srv/acme"
HEARTBEAT = "acme_heartbeat_1"
COMPOSE = "COMPOSE=podman-compose"
FAST = "ROLLCALL_INTERVAL=2s\nROLLCALL_FIRST_DELAY=0\nROLLCALL_JITTER=0\n"
WITHOUT_PYTHON = (
    "mount --bind /dev/null /usr/bin/python3.11; "
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin COMPOSE=: exec ./setup.sh /srv/other"
)


class Example:
    """The example's folder on the host, and what stands beside docker.env after it ran."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.env = host.machine.path(f"{PLACE}/docker.env")

    def sh(self, commands: str, folder: str = SHOP) -> str:
        return self.host.machine.run("sh", "-euc", f"export {COMPOSE}; cd {folder}\n{commands}", timeout=120)

    def compose(self, *words: str) -> str:
        return self.sh(f"podman-compose {' '.join(words)}", PLACE)

    def says(self, what: str) -> None:
        """The heartbeat's log comes to say this."""
        until(lambda: what in self.host.podman("logs", HEARTBEAT), why=f"the heartbeat says: {what}")

    def instance(self) -> str:
        return str(until(lambda: self.host.status(HEARTBEAT)["instanceId"], why="it has an id"))


@pytest.fixture(scope="module")
def shipped(host: Host, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder that the vendor ships, made as the docs say."""
    folder = host.machine.path("/var/tmp/shipped")
    folder.mkdir()
    shutil.copy(archive.built(tmp_path_factory), folder / "rollcall-VERSION.tar.gz")
    image, ship = recipe("docker compose")
    again = image.replace("podman build", f"podman build {ISOLATED} --timestamp={EPOCH}")
    for block in (*recipe("Prepare"), again, ship):
        Example(host).sh(block, "/var/tmp/shipped")
    settings = folder / "docker.env"
    text = settings.read_text().replace("https://telemetry.acme.example", ENDPOINT)
    settings.write_text(text.replace("THE-WRITE-KEY", host.key) + FAST)
    return "/var/tmp/shipped"


@pytest.fixture
def example(host: Host, shipped: str) -> Iterator[Example]:
    example = Example(host)
    example.sh(f"cp -R {shipped} {SHOP}", "/")
    yield example
    example.sh(f"./remove.sh || :; rm -rf {SHOP} /srv/acme /srv/other /etc/{NAME} {STATE}")
    example.host.podman("volume", "prune", "--force")


def arrived(host: Host, instance: str) -> set[str]:
    return {event["event"] for event in host.arrived() if event["anonymousId"] == instance}


def test_one_id_runs_from_the_first_event_of_the_install_to_the_last_heartbeat(example: Example) -> None:
    host = example.host
    said = example.sh("./setup.sh </dev/null")
    assert f"\nAcme Board: ready: {PLACE}\n" in said
    instance = example.instance()
    wanted = {"Installation Started", "Installation Success", "Instance Active"}
    until(lambda: arrived(host, instance) == wanted, why="all arrive under one id")
    assert (
        instance == json.loads(host.machine.run(f"/usr/local/bin/{NAME}", "status", "--json"))["instanceId"]
    )

    before = host.inspect(HEARTBEAT, ".Id")
    example.sh(f"sed -i '1i DO_NOT_TRACK=1' {PLACE}/docker.env")  # replaces the file, as editors do
    example.says("silent")
    assert not host.status(HEARTBEAT)["sending"]
    example.sh(f"sed -i 1d {PLACE}/docker.env")
    until(lambda: host.status(HEARTBEAT)["sending"], why="and it beats again")
    assert host.inspect(HEARTBEAT, ".Id") == before

    example.compose("stop", "product")
    example.says("not alive")
    example.compose("start", "product")
    example.sh("./setup.sh </dev/null")  # an upgrade
    assert example.instance() == instance
    example.sh("./remove.sh")
    assert host.podman("ps", "-q", "--filter", "name=acme_") == ""


def test_a_refusal_before_the_first_start_silences_from_the_first_second(example: Example) -> None:
    host = example.host
    said = example.sh("export DO_NOT_TRACK=1; ./setup.sh </dev/null")
    assert NAME not in said
    assert example.env.read_text().splitlines()[-1] == "ROLLCALL_DISABLE_TELEMETRY=true"
    example.says("silent")
    assert host.status(HEARTBEAT)["instanceId"] is None
    assert not host.machine.path(STATE).exists()
    assert not host.machine.path(f"/opt/{NAME}").exists()

    text = example.env.read_text().replace("ROLLCALL_DISABLE_TELEMETRY=true\n", "")
    example.env.write_text(text)
    example.compose("down")
    example.compose("up", "-d")
    first = example.instance()
    for _ in range(10):
        example.compose("down")
        example.compose("up", "-d")
    assert example.instance() == first
    example.compose("down")
    host.podman("volume", "rm", "acme_rollcall")
    example.compose("up", "-d")
    assert example.instance() != first, "a lost volume is a new instance"


def test_a_flag_in_docker_env_counts_at_up_without_the_mount(example: Example) -> None:
    example.sh("export DO_NOT_TRACK=1; ./setup.sh </dev/null")
    example.sh("sed -i '/:\\/etc\\/rollcall:ro/d' compose.yaml", PLACE)
    example.compose("down")
    example.compose("up", "-d")
    status = example.host.status(HEARTBEAT)
    assert (status["sending"], status["source"]) == (False, "ROLLCALL_DISABLE_TELEMETRY in the environment")


def test_the_same_archive_made_the_same_layers_again(host: Host, shipped: str) -> None:
    """The host's image was built as a release, and then as a vendor builds it."""
    assert host.layers(AGENT) == host.first_layers
    assert host.layers(AGENT) != host.layers(BASE)


def test_without_python_the_installer_runs_plainly_and_says_so(example: Example) -> None:
    process = example.host.machine.start("unshare", "--mount", "sh", "-euc", f"cd {SHOP}\n{WITHOUT_PYTHON}")
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert "there is no Python here" in said
    assert "this install is not reported; the heartbeat gets an id of its own" in said
