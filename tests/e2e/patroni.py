"""A highly available PostgreSQL of the test's own: three servers under Patroni, and three etcd that elect."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

from tests import leftovers
from tests.environ import bare
from tests.parts import NOBODY, find, postgresql_bin
from tests.ports import Ports
from tests.wait import PATIENCE, until

# As short as Patroni takes it, so that a test need not wait long for the next leader.
TTL_SECONDS, LOOP_SECONDS, RETRY_SECONDS = 6, 1, 2
NODES = range(3)


class Node:
    """One server with its Patroni."""

    def __init__(self, folder: Path, number: int, ports: Ports) -> None:
        self.name = f"node{number}"
        self.folder = folder / self.name
        self.port, self.api = ports.take(), ports.take()
        self.patroni: subprocess.Popen[bytes] | None = None

    @property
    def where(self) -> str:
        return f"127.0.0.1:{self.port}"

    def postgres(self) -> list[int]:
        """The ids of its PostgreSQL's processes, the one that started the others first."""
        data = self.folder / "data"
        with contextlib.suppress(OSError):
            first = int((data / "postmaster.pid").read_text().split()[0])
            if not os.path.samefile(f"/proc/{first}/cwd", data):
                return []  # it was killed, and another process has its number now
            return [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]
        return []

    def kill(self) -> None:
        """End it as the loss of its machine would: Patroni first, or it would start PostgreSQL again."""
        if self.patroni is not None:
            self.patroni.kill()
            self.patroni.wait()
            self.patroni = None
        for process in self.postgres():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


class Patroni:
    """The whole of it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rollcall-ha-"))
        self.user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        if self.user:
            os.chown(self.folder, NOBODY, NOBODY)
        self.ports = Ports()
        self.nodes = [Node(self.folder, number, self.ports) for number in NODES]
        self.clients, self.peers = ([f"127.0.0.1:{self.ports.take()}" for _ in NODES] for _ in range(2))
        self.etcds: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        self.etcds = [self._begin("etcd", *self._etcd_options(number)) for number in NODES]
        for node in self.nodes:
            self.begin(node)
        until(self.is_whole, why="a leader with a synchronous standby")

    def begin(self, node: Node) -> None:
        """Start a node, for the first time or again."""
        config = node.folder.with_suffix(".json")  # which is YAML, too
        config.write_text(json.dumps(self._config(node)))
        node.patroni = self._begin("patroni", str(config))

    def database(self, name: str) -> str:
        """The URL of a new database, with all hosts."""
        with self.connect() as leader:
            leader.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection to the leader; psycopg.Error if there is none."""
        url = f"{self._url('postgres')}?target_session_attrs=read-write"
        return psycopg.connect(url, autocommit=True, connect_timeout=int(PATIENCE))

    def leader(self) -> Node:
        """The node that takes changes; psycopg.Error if there is none."""
        with self.connect() as connection:
            return next(node for node in self.nodes if node.port == connection.info.port)

    def takes_changes(self) -> bool:
        """Whether there is a leader."""
        with contextlib.suppress(psycopg.Error), self.connect():
            return True
        return False

    def answers(self) -> bool:
        """Whether there is a leader, and a standby that has all that it commits."""
        with contextlib.suppress(psycopg.Error), self.connect() as leader:
            return bool(
                leader.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").fetchone()
            )
        return False

    def is_whole(self) -> bool:
        """Whether all nodes take part."""
        with contextlib.suppress(psycopg.Error), self.connect() as leader:
            sql = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming' ORDER BY 1"
            return [state for (state,) in leader.execute(sql)] == ["async", "sync"]
        return False

    def remove(self) -> None:
        for node in self.nodes:
            node.kill()
        for etcd in self.etcds:
            etcd.kill()
            etcd.wait()
        self.ports.give_back()
        leftovers.remove(self.folder)

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@{','.join(node.where for node in self.nodes)}/{database}"

    def _begin(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{program}.log").open("ab") as log:
            started: subprocess.Popen[bytes] = subprocess.Popen(
                [find(program) or program, *arguments],
                env=bare(self.folder),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self.user,  # type: ignore[call-overload]
            )
        return started

    def _etcd_options(self, number: int) -> list[str]:
        peers = [f"etcd{other}=http://{peer}" for other, peer in enumerate(self.peers)]
        options = {
            "name": f"etcd{number}",
            "data-dir": f"{self.folder}/etcd{number}",
            "listen-client-urls": f"http://{self.clients[number]}",
            "advertise-client-urls": f"http://{self.clients[number]}",
            "listen-peer-urls": f"http://{self.peers[number]}",
            "initial-advertise-peer-urls": f"http://{self.peers[number]}",
            "initial-cluster": ",".join(peers),
            "logger": "zap",
        }
        return [f"--{name}={value}" for name, value in options.items()]

    def _config(self, node: Node) -> dict[str, object]:
        api = f"127.0.0.1:{node.api}"
        cluster = {
            "ttl": TTL_SECONDS,
            "loop_wait": LOOP_SECONDS,
            "retry_timeout": RETRY_SECONDS,
            "synchronous_mode": True,
            "synchronous_mode_strict": True,
            "postgresql": {"use_pg_rewind": True, "parameters": {"shared_buffers": "32MB"}},
        }
        account = {"username": "postgres"}
        return {
            "scope": "rollcall",
            "name": node.name,
            "restapi": {"listen": api, "connect_address": api},
            "etcd3": {"hosts": self.clients},
            "bootstrap": {"dcs": cluster, "initdb": [{"encoding": "UTF8"}, "no-sync"]},
            "postgresql": {
                "listen": node.where,
                "connect_address": node.where,
                "data_dir": str(node.folder / "data"),
                "bin_dir": postgresql_bin(),
                "pgpass": f"{node.folder}.pgpass",
                "parameters": {"unix_socket_directories": str(self.folder)},
                "pg_hba": [
                    "host all all 127.0.0.1/32 trust",
                    "host replication all 127.0.0.1/32 trust",
                    "local all all trust",
                ],
                "authentication": {"superuser": account, "replication": account, "rewind": account},
            },
        }
