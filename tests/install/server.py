"""A machine that an operator owns, with a vendor's archive on it."""

import json
import shutil
from pathlib import Path

from tests.e2e.machine import Machine
from tests.install.scripts import SHELLS
from tests.install.trees import tree

WHOLE = ["/etc", "/srv"]
ROOTS = [*WHOLE, "/opt", "/usr/local/bin", "/usr/lib/sysusers.d", "/usr/lib/systemd/system", "/var/lib"]
PLACE = "/var/tmp/vendor"


class Server:
    """install.sh, uninstall.sh and what they made, as root on that machine."""

    def __init__(self, machine: Machine, bundle: Path, shell: str = "dash") -> None:
        self.machine = machine
        self.shell = SHELLS[shell]
        self.replace_archive(bundle)

    def replace_archive(self, bundle: Path) -> None:
        place = self.machine.path(PLACE)
        if place.exists():
            shutil.rmtree(place)
        shutil.copytree(bundle, place)

    def install(self, *words: str, check: bool = True) -> str:
        return self.machine.run(*self.installing(*words), check=check)

    def installing(self, *words: str) -> list[str]:
        return [*self.shell, f"{PLACE}/install/install.sh", *words]

    def uninstall(self, *words: str) -> str:
        return self.machine.run(*self.shell, f"{PLACE}/install/uninstall.sh", "--yes", *words)

    def tree(self) -> dict[str, str]:
        return {path: what for root in ROOTS for path, what in self._below(root).items()}

    def _below(self, root: str) -> dict[str, str]:
        return tree(self.machine.path(""), root, whole=root in WHOLE)

    def active(self, name: str) -> str:
        return self.machine.run("systemctl", "is-active", f"{name}.service", check=False)

    def status(self, name: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.machine.run(f"/usr/local/bin/{name}", "status", "--json"))
        return found

    def pid(self, name: str) -> str:
        return self.machine.show(f"{name}.service", "MainPID")

    def events(self, name: str) -> list[str]:
        lines = self.machine.run(f"/usr/local/bin/{name}", "log", "--json").splitlines()
        return [json.loads(line)["event"]["event"] for line in lines if line.startswith("{")]

    def mode(self, path: str) -> str:
        return self.machine.run("stat", "-c", "%a %U", path)
