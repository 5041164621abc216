"""What a vendor copies from install/example works as it stands, beside the archive."""

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.machine import booted
from tests.install.scripts import INSTALL


@pytest.mark.needs("root", "systemd", "bash")
def test_a_vendor_may_copy_it(bundle: Path) -> None:
    with booted() as machine:
        shutil.copytree(INSTALL / "example", machine.path("/var/tmp/acme"))
        shutil.copytree(bundle, machine.path("/var/tmp/acme/rollcall"))
        said = machine.run("/var/tmp/acme/setup.sh", "/srv/board")
        assert "Acme Board: ready: /srv/board" in said
        assert machine.run("systemctl", "is-active", "rollcall-acme-board.service") == "active"
        status = json.loads(machine.run("rollcall-acme-board", "status", "--json").splitlines()[-1])
        assert status["endpoint"] == "https://telemetry.acme.example"
        done = machine.start("/var/tmp/acme/setup.sh", "/proc/nowhere")
        output, _ = done.communicate(timeout=60)
        assert done.returncode == 1, output
        log = machine.run("rollcall-acme-board", "log", "--json")
        assert (
            '"script": "install-acme.sh", "line": 11' in log.replace('"line":11', '"line": 11')
            or "mkdir" in log
        )
        machine.run("/var/tmp/acme/remove.sh", "/srv/board")
        assert not machine.path("/opt/rollcall-acme-board").exists()
