"""The two sides of the demo: an operator who types commands, and a vendor's collector that takes events."""

from __future__ import annotations

import ctypes
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from collector.admin import setup
from collector.store import open_stores
from collector.verbs.terminal import now_ms

PR_SET_PDEATHSIG = 1
NAME = "rollcall-demo"
"""So that it shares nothing with a Rollcall that is installed on this machine."""
KEPT = ("PATH", "TERM", "LANG", "LC_ALL", "HOME", "NO_COLOR")

COMMAND = """\
#!/bin/sh
# The demo's own rollcall: its state, settings and collector, and nobody else's.
export {variables}
exec "{python}" -I -m agent "$@"
"""


class Collector:
    """The vendor's side: a server of its own, on a port that the kernel chose."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/collector.db"
        self.errors = (folder / "collector.log").open("wb")
        environment = {
            **os.environ,
            "ROLLCALL_COLLECTOR_LISTEN": "127.0.0.1:0",
            "ROLLCALL_COLLECTOR_DB": self.url,
        }
        self.server = subprocess.Popen(
            [sys.executable, "-I", "-m", "collector", "serve"],
            cwd=folder,
            env={name: value for name, value in environment.items() if name != "JOURNAL_STREAM"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            start_new_session=True,
            preexec_fn=end_with_demo,  # noqa: PLW1509 - there are no threads here
        )
        lines = iter(self.server.stdout or ())
        said = dict(next(lines, "").strip().partition("=")[::2] for _ in range(2))
        self.address, self.key = said.get("ROLLCALL_ENDPOINT", ""), said.get("ROLLCALL_WRITE_KEY", "")
        if not self.key:
            raise SystemExit(f"demo: the collector did not start: {(folder / 'collector.log').read_text()}")
        self.stores = open_stores(self.url)
        self.seen = 0

    def new_link(self) -> str:
        """A link that opens the page, once; an earlier one no longer works."""
        return setup.new_link(self.stores.control, self.address, now_ms())

    def new_events(self) -> list[dict[str, Any]]:
        """The events that arrived since the last look."""
        new = [body for piece in self.stores.events.export() for _, body in piece][self.seen :]
        self.seen += len(new)
        return sorted((json.loads(line) for line in new), key=lambda event: str(event["timestamp"]))

    def stop(self) -> None:
        self.stores.close()
        self.server.terminate()
        self.server.wait()
        self.errors.close()


class Operator:
    """The operator's side: settings as the vendor of Acme Board writes them, and a command to type."""

    def __init__(self, folder: Path, command: Path, collector: Collector) -> None:
        key = folder / "write-key"
        key.touch(mode=0o600)
        key.write_text(collector.key)
        settings = folder / "docker.env"
        settings.write_text(
            f"ROLLCALL_ENDPOINT={collector.address}\nROLLCALL_WRITE_KEY_FILE='{key}'\n"
            "ROLLCALL_PRODUCT=Acme Board\nROLLCALL_PRODUCT_VERSION=1.4.2\n"
        )
        settings.chmod(0o600)
        places = {
            "ROLLCALL_ENV_FILE": settings,
            "ROLLCALL_STATE_DIR": folder / "state",
            "XDG_CONFIG_HOME": folder / "config",
            "XDG_STATE_HOME": folder / "config",
        }
        variables = " ".join(f'{name}="{place}"' for name, place in places.items())
        command.write_text(COMMAND.format(variables=variables, python=sys.executable))
        command.chmod(0o755)
        self.rollcall = as_typed(command)
        environment = Path(sys.prefix)
        (environment / "rollcall.name").write_text(f"{NAME}\n")
        (environment / "rollcall.command").write_text(f"{self.rollcall}\n")

    def types(self, line: str) -> int:
        """Show a command and run it as it is shown, so that it can be typed too; its exit code."""
        print(f"operator$ {line}", flush=True)
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return subprocess.run(["/bin/sh", "-c", line], env=kept, check=False).returncode

    def installs(self, script: Path, flag: str = "") -> int:
        shell = "" if shutil.which("bash") else "sh "
        return self.types(f"{flag}{self.rollcall} wrap --no-input -- {shell}{as_typed(script)}")


def as_typed(path: Path) -> str:
    """A path as a person types it who stands here."""
    relative = os.path.relpath(path)
    return shlex.quote(relative if "/" in relative else f"./{relative}")


def end_with_demo() -> None:
    """The collector does not outlive the demo, even if that is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
