"""One product's service, set up in a machine as install.sh would, from this checkout."""

import atexit
import functools
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from tests.e2e.machine import Machine

CHECKOUT = Path(__file__).parents[2]
UNITS = {
    "rollcall.service": "/etc/systemd/system/{}.service",
    "rollcall-env.path": "/etc/systemd/system/{}-env.path",
    "rollcall-env.service": "/etc/systemd/system/{}-env.service",
    "rollcall.sysusers": "/etc/sysusers.d/{}.conf",
}


class Product:
    """NAME in a machine: its files, its service, and its verbs as root."""

    def __init__(self, machine: Machine, name: str, extra: str | None = None) -> None:
        self.machine, self.extra = machine, extra
        self.name = name
        self.unit = f"{name}.service"
        self.python = f"/opt/{name}/bin/python"
        self.env = machine.path(f"/etc/{name}/docker.env")
        self.state = machine.path(f"/var/lib/{name}")

    def install(self, settings: str, mode: int = 0o600) -> None:
        """Everything but the start."""
        prefix = self.machine.path(f"/opt/{self.name}")
        shutil.copytree(environment(extra=self.extra), prefix, symlinks=True)
        (prefix / "rollcall.name").write_text(f"{self.name}\n")
        self.env.parent.mkdir()
        self.env.write_text(settings)
        self.env.chmod(mode)
        for source, target in UNITS.items():
            place = self.machine.path(target.format(self.name))
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(render(source, self.name, self.python))
        self.machine.run("systemd-sysusers", f"{self.name}.conf")
        self.machine.run("systemctl", "daemon-reload")

    def drop_in(self, text: str, unit: str = "") -> None:
        """Add a drop-in to the service, or another unit."""
        place = self.machine.path(f"/etc/systemd/system/{unit or self.unit}.d")
        place.mkdir(exist_ok=True)
        (place / f"{len(list(place.iterdir()))}.conf").write_text(text)
        self.machine.run("systemctl", "daemon-reload")

    def start(self) -> None:
        self.machine.run("systemctl", "start", self.unit, f"{self.name}-env.path")

    def stop(self) -> None:
        self.machine.run("systemctl", "stop", f"{self.name}-env.path")  # first: it may be about to start it
        self.machine.run("systemctl", "stop", self.unit)

    def verb(self, *words: str, check: bool = True) -> str:
        return self.machine.run(self.python, "-I", "-m", "agent", *words, check=check)

    def status(self) -> str:
        return self.machine.show(self.unit, "StatusText")

    def pid(self) -> int:
        return int(self.machine.show(self.unit, "MainPID"))


def render(source: str, name: str, python: str) -> str:
    command = [str(CHECKOUT / "systemd/render"), source, name, python]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@functools.cache
def environment(package: str = "agent", extra: str | None = None) -> Path:
    """A private environment like install.sh's, made of what this one runs with; no download."""
    place = Path(tempfile.mkdtemp(prefix="rollcall-environment-")) / "venv"
    atexit.register(shutil.rmtree, place.parent, ignore_errors=True)
    python = base_python()
    subprocess.run([python, "-m", "venv", "--without-pip", place], check=True)
    site = next(place.glob("lib/python*/site-packages"))
    shutil.copytree(CHECKOUT / package, site / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in sorted(set(dependencies("rollcall-telemetry", extra))):
        for file in importlib.metadata.files(name) or []:
            if ".." not in file.parts:
                target = site / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(str(file.locate()), target)
    subprocess.run([place / "bin/python", "-m", "compileall", "-q", site], check=True)
    return place


def base_python() -> str:
    """A Python that every user of this machine may run."""
    places = [os.path.realpath(sys.executable), "/usr/bin/python3"]
    return next(p for p in places if not p.startswith(("/root", "/home")) and os.path.exists(p))


def dependencies(name: str, extra: str | None = None) -> Iterator[str]:
    """What this distribution needs, down to the last, with or without one of its extras."""
    for line in importlib.metadata.requires(name) or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra or ""}):
            yield requirement.name
            for more in requirement.extras or [None]:
                yield from dependencies(requirement.name, more)
