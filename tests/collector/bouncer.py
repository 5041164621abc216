"""A PgBouncer as Debian ships it, with the settings in docs/collector.md, in front of a cluster."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from tests import environ, leftovers
from tests.collector.cluster import Cluster
from tests.collector.proxies import block, replaced
from tests.deadends import unused_port
from tests.parts import NOBODY, find
from tests.wait import until

# Fewer connections to PostgreSQL than clients have threads, so that transactions of a client change places.
SERVERS = 3
MORE = f"""
unix_socket_dir =
default_pool_size = {SERVERS}
server_round_robin = 1
server_idle_timeout = 1
max_client_conn = 200
"""


class Bouncer:
    """One PgBouncer, run by an ordinary user on 127.0.0.1."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.port = unused_port()
        self.folder = Path(tempfile.mkdtemp(prefix="rollcall-bouncer-"))
        self.folder.chmod(0o755)
        parts = {
            "rollcall = host=db.internal": f"* = host=127.0.0.1 port={cluster.port}",
            "listen_addr = 127.0.0.1": f"listen_addr = 127.0.0.1\nlisten_port = {self.port}",
            "scram-sha-256": "trust",
            "/etc/pgbouncer/userlist.txt": f"{self.folder}/users",
        }
        (self.folder / "pgbouncer.ini").write_text(replaced(block("ini"), parts) + MORE)
        (self.folder / "users").write_text('"postgres" ""\n')
        self.start()

    def start(self) -> None:
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        self.process = subprocess.Popen(
            [find("pgbouncer") or "pgbouncer", "-q", str(self.folder / "pgbouncer.ini")],
            env=environ.bare(self.folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **user,  # type: ignore[call-overload]
        )
        until(self._listens, why="PgBouncer listens")

    def stop(self) -> None:
        """End at once."""
        self.process.kill()
        self.process.wait()

    def behind(self, database: str) -> str:
        """The URL of a database of the cluster, through this PgBouncer."""
        return urlsplit(database)._replace(netloc=f"postgres@127.0.0.1:{self.port}").geturl()

    def remove(self) -> None:
        self.stop()
        leftovers.remove(self.folder)

    def _listens(self) -> bool:
        assert self.process.poll() is None, "PgBouncer ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False
