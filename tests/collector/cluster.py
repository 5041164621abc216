"""A PostgreSQL of the test's own: made in a temporary folder, gone with it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

from tests import leftovers
from tests.deadends import unused_port
from tests.parts import NOBODY, postgresql_bin
from tests.wait import PATIENCE

SECONDS = int(PATIENCE)


class Cluster:
    """One server, run by an ordinary user, on a socket in its folder and on 127.0.0.1."""

    def __init__(self) -> None:
        self.programs = postgresql_bin() or ""
        self.folder = Path(tempfile.mkdtemp(prefix="rollcall-pg-"))
        self.port = unused_port()
        self.databases = 0
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
        self.execute("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8")
        with Path(self.data, "postgresql.conf").open("a") as conf:
            conf.write(f"listen_addresses='127.0.0.1'\nport={self.port}\n")
            conf.write(f"unix_socket_directories='{self.folder}'\nshared_buffers=64MB\n")

    @property
    def data(self) -> str:
        return str(self.folder / "data")

    def execute(self, program: str, *arguments: str) -> None:
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        command = [f"{self.programs}/{program}", *arguments]
        environ = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(self.folder)}
        subprocess.run(
            command,
            env=environ,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=SECONDS,
            **user,  # type: ignore[call-overload]
        )

    def start(self) -> None:
        log = str(self.folder / "log")
        self.execute("pg_ctl", "-D", self.data, "-l", log, "-w", "-t", str(SECONDS), "start")

    def stop(self) -> None:
        """Stop at once, as a crash would."""
        self.execute("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")

    def database(self, encoding: str = "UTF8") -> str:
        """The URL of a new, empty database."""
        self.databases += 1
        name = f"test{self.databases}"
        server = ("-h", str(self.folder), "-p", str(self.port), "-U", "postgres")
        form = ("-T", "template0", "-E", encoding, "--locale=C") if encoding != "UTF8" else ()
        self.execute("createdb", *server, *form, name)
        return f"postgresql://postgres@127.0.0.1:{self.port}/{quote(name)}"

    def remove(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop()
        leftovers.remove(self.folder)
