"""The collector as a service in a machine."""

import shutil

from tests.e2e.machine import Machine
from tests.e2e.product import environment, render

NAME = "rollcall-collector"
UNIT = f"{NAME}.service"
PYTHON = f"/opt/{NAME}/bin/python"
VERB = (PYTHON, "-I", "-m", "collector")
PORT = 8787


def install_collector(machine: Machine) -> None:
    """Everything but the start."""
    shutil.copytree(environment("collector", "collector"), machine.path(f"/opt/{NAME}"), symlinks=True)
    machine.path(f"/etc/systemd/system/{UNIT}").write_text(render(UNIT, NAME, PYTHON))
    settings = machine.path(f"/etc/{NAME}/collector.env")
    settings.parent.mkdir()
    settings.write_text(f"ROLLCALL_COLLECTOR_LISTEN=127.0.0.1:{PORT}\n")
    settings.chmod(0o600)
    machine.run("systemctl", "daemon-reload")
