"""What a vendor copies from install/example works as it stands, beside the archive."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from agent.config.consent import decision_from_files
from agent.config.envfile import read_env_file
from tests.e2e.machine import Machine, booted
from tests.install.scripts import INSTALL, environment, run
from tests.wait import PATIENCE, until

SCRIPT = INSTALL / "example/install-acme.sh"
COMMAND = "/usr/local/bin/rollcall-acme-board"


def failure(log: str) -> dict[str, Any] | None:
    """The Installation Errors in a log."""
    events = [json.loads(line)["event"] for line in log.splitlines() if line.startswith("{")]
    return next((event for event in events if event["event"] == "Installation Errors"), None)


def entries(machine: Machine) -> list[dict[str, Any]]:
    """The log's lines of the installation."""
    lines = [json.loads(line) for line in machine.run(COMMAND, "log", "--json").splitlines()]
    return [line for line in lines if line["event"]["event"].startswith("Installation")]


def app(entry: dict[str, Any]) -> str:
    return str(entry["event"]["context"]["app"]["name"])


def recipe() -> str:
    """How the docs say to unpack the archive."""
    page = (INSTALL.parent / "docs/installing.md").read_text()
    blocks: list[str] = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    return next(block for block in blocks if "tar xzf" in block)


@pytest.mark.parametrize(
    ("text", "added"),
    [
        ("ROLLCALL_PRODUCT_VERSION=1.4.2", True),
        ("ROLLCALL_DISABLE_TELEMETRY=false\n", True),
        ("DO_NOT_TRACK=1\n", False),
    ],
    ids=["a last line without its end", "a flag that means no", "a refusal"],
)
def test_a_refusal_found_elsewhere_goes_into_the_containers_docker_env(
    tmp_path: Path, text: str, added: bool
) -> None:
    for name in ("setup.sh", "docker.env"):
        shutil.copy(INSTALL / "example/docker" / name, tmp_path)
    shutil.copytree(INSTALL / "lib", tmp_path / "rollcall/install/lib")
    script = tmp_path / "rollcall/install/install.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    env_file = tmp_path / "acme/docker.env"
    env_file.parent.mkdir()
    env_file.write_text(text)
    env_file.chmod(0o600)
    environ = environment(tmp_path, DO_NOT_TRACK="1")
    done = run("sh", tmp_path / "setup.sh", env_file.parent, environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    after = env_file.read_text()
    assert after == text + "\nROLLCALL_DISABLE_TELEMETRY=true\n" * added
    file = read_env_file(str(env_file), (), uid=os.geteuid())
    assert file is not None
    assert not decision_from_files([file]).sending


@pytest.mark.parametrize("example", ["example", "example/docker"])
def test_it_goes_by_its_own_folder_whatever_cdpath_says(tmp_path: Path, example: str) -> None:
    """Where CDPATH leads, even to a folder beside one, `cd` prints where it went."""
    shutil.copytree(INSTALL / example, tmp_path / "acme")
    shutil.copytree(INSTALL / "lib", tmp_path / "acme/rollcall/install/lib")
    environ = environment(tmp_path, CDPATH=".:/usr", COMPOSE=":")
    for script, started in (("setup.sh", "install.sh"), ("remove.sh", "uninstall.sh")):
        ours = tmp_path / "acme/rollcall/install" / started
        ours.write_text('#!/bin/sh\necho "$0"\n')
        ours.chmod(0o755)
        done = run("sh", f"acme/{script}", tmp_path / "board", environ=environ)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{ours}\n", "")


@pytest.mark.needs("root", "systemd", "bash")
def test_a_vendor_may_copy_it(packed: Path) -> None:
    with booted() as machine:
        machine.path("/var/tmp/acme").mkdir()
        shutil.copy(packed, machine.path("/var/tmp/acme/rollcall-VERSION.tar.gz"))
        machine.run("sh", "-euc", f"cd /var/tmp/acme\n{recipe()}")
        machine.path("/var/tmp/acme/docker.env").write_text("APPSMITH_ENCRYPTION_SALT=abc\n")
        said = machine.run("sh", "-c", "cd /var/tmp/acme && exec ./setup.sh /srv/board")
        assert "Acme Board: ready: /srv/board" in said
        assert machine.run("systemctl", "is-active", "rollcall-acme-board.service") == "active"
        status = json.loads(machine.run(COMMAND, "status", "--json").splitlines()[-1])
        assert status["endpoint"] == "https://telemetry.acme.example"
        assert "Acme Board 1.4.2\n" in machine.run(COMMAND, "status")
        until(lambda: len(entries(machine)) == 2, why="the run is in the log")
        assert {(entry["endpoint"], app(entry)) for entry in entries(machine)} == {
            ("https://telemetry.acme.example", "Acme Board")
        }
        done = machine.start("/var/tmp/acme/setup.sh", "/proc/nowhere")
        output, _ = done.communicate(timeout=PATIENCE)
        assert done.returncode == 1, output
        failed = until(lambda: failure(machine.run(COMMAND, "log", "--json")), why="the run is in the log")
        place = (SCRIPT.read_text().splitlines().index('mkdir -p "$target"') + 1, "install-acme.sh", "mkdir")
        assert failed
        assert failed["context"]["app"] == {"name": "Acme Board", "version": "1.4.2"}
        properties = failed["properties"]
        assert (properties["line"], properties["script"], properties["command"]) == place
        machine.run("/var/tmp/acme/remove.sh", "/srv/board")
        assert not machine.path("/opt/rollcall-acme-board").exists()
