"""Every recipe of docs/vendors.md, run as it stands; only the vendor's server is one on this machine."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.machine import Machine
from tests.install.pages import blocks_below
from tests.install.scripts import INSTALL
from tests.wait import until

PAGE = (INSTALL.parent / "docs/vendors.md").read_text()
NAME = "rollcall-acme-board"
COMMAND = f"/usr/local/bin/{NAME}"
FOLDER = "/var/tmp/acme"
TESTS = Path(__file__).parents[1]
PORT = 8765
SERVER = f"http://127.0.0.1:{PORT}"
REFUSAL = f"/etc/{NAME}/docker.env"
pytestmark = [pytest.mark.once, pytest.mark.needs("root", "systemd", "bash", "curl", "git", "dpkg")]


def recipe(heading: str) -> list[str]:
    """The blocks of commands below a heading."""
    return blocks_below("vendors.md", heading)


class Vendor:
    """A machine on which a vendor prepared a release, and serves it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def sh(self, commands: str, *, folder: str = FOLDER, check: bool = True) -> str:
        """Run a block of the page in a folder."""
        local = commands.replace("https://get.acme.example", SERVER)
        local = local.replace("https://git.acme.example/acme.git", FOLDER)
        return self.machine.run("sh", "-euc", f"cd {folder}\n{local}", check=check)

    def serve(self) -> None:
        self.machine.run("rm", "-f", f"{FOLDER}/asked")
        serve = f"exec python3 -m http.server --bind 127.0.0.1 {PORT} 2>{FOLDER}/asked"
        self.machine.run("systemd-run", "--unit=shop", f"--working-directory={FOLDER}", "sh", "-c", serve)
        until(lambda: self.sh(f"curl -fs {SERVER}/write-key || :"), why="the server answers")

    def asked(self) -> list[str]:
        """What was fetched since it began to serve, without the question whether it serves."""
        lines = self.machine.path(f"{FOLDER}/asked").read_text()
        return [path for path in re.findall(r'"GET (\S+)', lines) if path != "/write-key"]

    def is_reported(self) -> str:
        """The install was wrapped, and its heartbeat runs; the instance's id."""
        assert self.machine.run("systemctl", "is-active", f"{NAME}.service") == "active"
        log = [json.loads(line)["event"] for line in self.machine.run(COMMAND, "log", "--json").splitlines()]
        names = [event["event"] for event in log]
        assert names[:2] == ["Installation Started", "Installation Success"]
        return str(log[0]["anonymousId"])

    def is_plain(self, said: str) -> None:
        """The vendor's own installer ran, and nothing else."""
        assert said.splitlines()[-1] == "Acme Board: ready: /srv/acme"
        assert "rollcall" not in said
        assert not self.machine.path(f"/opt/{NAME}").exists()
        assert not self.machine.path(COMMAND).exists()


@pytest.fixture
def vendor(booted_once: Machine, packed: Path) -> Iterator[Vendor]:
    booted_once.path(FOLDER).mkdir()
    shutil.copy(packed, booted_once.path(f"{FOLDER}/rollcall-VERSION.tar.gz"))
    vendor = Vendor(booted_once)
    for block in recipe("Prepare"):
        vendor.sh(block)
    yield vendor
    booted_once.run("systemctl", "stop", "shop.service", check=False)
    vendor.sh(f"./remove.sh; rm -rf {FOLDER} /srv/acme* /etc/{NAME}", folder="/var/tmp/acme")


def made_tarball(vendor: Vendor) -> None:
    for block in recipe("A tarball"):
        vendor.sh(block)


def test_a_tarball(vendor: Vendor) -> None:
    made_tarball(vendor)
    unpack = "mkdir /srv/acme-unpacked && cd /srv/acme-unpacked && tar xzof /var/tmp/acme/acme-1.4.2.tar.gz"
    vendor.is_plain(vendor.sh(f"{unpack} && DO_NOT_TRACK=1 ./setup.sh"))
    vendor.sh("./setup.sh", folder="/srv/acme-unpacked")
    vendor.is_reported()


def test_one_file_behind_curl(vendor: Vendor) -> None:
    made_tarball(vendor)
    make, run = recipe("One file behind curl | bash")
    vendor.sh(make)
    vendor.machine.run("sed", "-i", f"s|https://get.acme.example|{SERVER}|", f"{FOLDER}/install.sh")
    vendor.serve()
    vendor.is_plain(vendor.sh(run.replace("| bash", "| DO_NOT_TRACK=1 bash")))
    assert vendor.asked() == ["/install.sh"]
    vendor.sh(run)
    assert vendor.asked() == ["/install.sh", "/install.sh", "/acme-1.4.2.tar.gz"]
    vendor.is_reported()


def test_a_git_clone(vendor: Vendor) -> None:
    vendor.sh("git init -q . && git add . && git -c user.name=a -c user.email=a@b.example commit -qm release")
    (run,) = recipe("A git clone")
    vendor.machine.path("/srv/acme-clones").mkdir()
    vendor.sh(run, folder="/srv/acme-clones")
    vendor.is_reported()


def test_a_debian_package(vendor: Vendor) -> None:
    (make,) = recipe("A Debian package")
    vendor.sh(make)
    vendor.machine.path(REFUSAL).parent.mkdir()
    vendor.machine.path(REFUSAL).write_text("DO_NOT_TRACK=1\n")
    vendor.is_plain(vendor.sh("dpkg -i acme_1.4.2_all.deb"))
    vendor.sh(f"dpkg -r acme && rm {REFUSAL}")
    vendor.sh("dpkg -i acme_1.4.2_all.deb")
    vendor.is_reported()
    vendor.sh("dpkg -r acme")
    assert not vendor.machine.path(f"/opt/{NAME}").exists()


def test_cloud_init(vendor: Vendor) -> None:
    made_tarball(vendor)
    vendor.serve()
    (user_data,) = recipe("cloud-init")
    vendor.sh(user_data)
    vendor.is_reported()


@pytest.mark.timeout(600)
@pytest.mark.needs("ansible")
def test_ansible(vendor: Vendor) -> None:
    made_tarball(vendor)
    vendor.serve()
    playbook, run = recipe("Ansible")
    vendor.machine.path(f"{FOLDER}/acme.yml").write_text(playbook.replace("https://get.acme.example", SERVER))
    here = "localhost ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n"
    vendor.machine.path(f"{FOLDER}/servers").write_text(here)
    vendor.sh(run.replace("ansible-playbook", "ansible-playbook -e acme_telemetry=false"))
    assert vendor.machine.path("/srv/acme").exists()
    assert not vendor.machine.path(f"/opt/{NAME}").exists()
    assert not vendor.machine.path(REFUSAL).exists()
    vendor.sh("rm -r /srv/acme*")
    assert " changed=3 " in vendor.sh(run)
    vendor.is_reported()
    assert " changed=0 " in vendor.sh(run)


def test_a_product_that_upgrades_itself(vendor: Vendor) -> None:
    vendor.sh("./setup.sh")
    before = vendor.is_reported()
    vendor.sh("sed -i s/1.4.2/1.5.0/ setup.sh")
    made_tarball(vendor)
    (upgrade,) = recipe("A product that upgrades itself")
    vendor.sh(f"mv acme-1.4.2.tar.gz acme-1.5.0.tar.gz\n{upgrade}")
    assert vendor.is_reported() == before
    assert "Acme Board 1.5.0\n" in vendor.machine.run(COMMAND, "status")


def test_in_a_vendors_own_ci(vendor: Vendor) -> None:
    (check,) = recipe("Test it in your own CI")
    said = vendor.sh(f"PATH=$PATH:/usr/local/bin\n{check}")
    assert "install-acme.sh" in said
    assert not vendor.machine.path(COMMAND).exists()


def test_every_recipe_has_its_test() -> None:
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    tested = Path(__file__).read_text() + (TESTS / "e2e/containers/test_compose.py").read_text()
    assert [heading for heading in headings if f'recipe("{heading}")' not in tested] == []
