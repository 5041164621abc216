"""ClickHouse servers of the test's own, on ports that the kernel chooses; gone with their folders."""

from __future__ import annotations

import http.client
import subprocess
import tempfile
from contextlib import closing, suppress
from pathlib import Path

from tests import leftovers
from tests.deadends import unused_port
from tests.environ import bare
from tests.environments import environment
from tests.parts import find
from tests.wait import PATIENCE, until

SECONDS = PATIENCE
SERVER = Path(__file__).with_name("chdb_server.py")

_CONFIG = """<yandex>
<logger><level>warning</level><log>{folder}/log</log><errorlog>{folder}/errors</errorlog></logger>
<http_port>{http}</http_port><tcp_port>{tcp}</tcp_port><listen_host>127.0.0.1</listen_host>
<path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path><user_files_path>{folder}/files/</user_files_path>
<mark_cache_size>16777216</mark_cache_size><users_config>{folder}/users.xml</users_config>
<default_profile>default</default_profile><default_database>default</default_database>
<timezone>UTC</timezone></yandex>"""
_USERS = """<yandex><quotas><default></default></quotas>
<profiles><default><max_threads>1</max_threads></default></profiles>
<users><default><password>{password}</password><networks><ip>127.0.0.1</ip></networks>
<profile>default</profile><quota>default</quota></default></users></yandex>"""


class ClickHouse:
    """A server, and new databases on it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rollcall-ch-"))
        self.port = 0
        self.databases = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        raise NotImplementedError

    def database(self) -> str:
        """The URL of a new database; the store makes it."""
        self.databases += 1
        return f"clickhouse://default@127.0.0.1:{self.port}/test{self.databases}"

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process:
            self.process.kill()
            self.process.communicate()

    def remove(self) -> None:
        self.kill()
        leftovers.remove(self.folder)


class Today(ClickHouse):
    """Today's engine, which is on the package index as a library."""

    def __init__(self, *, large: bool = False) -> None:
        super().__init__()
        self._large = ["large"] if large else []

    def start(self) -> None:
        python = environment("chdb")
        self.process = subprocess.Popen(
            [python, "-P", SERVER, self.folder / "data", *self._large],
            cwd=self.folder,
            env=bare(self.folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())


class Debians(ClickHouse):
    """Debian's server, which is of 2018."""

    password = ""

    def start(self) -> None:
        self.port = self.port or unused_port()
        config = self.folder / "config.xml"
        config.write_text(_CONFIG.format(folder=self.folder, http=self.port, tcp=unused_port()))
        (self.folder / "users.xml").write_text(_USERS.format(password=self.password))
        self.process = subprocess.Popen(
            [find("clickhouse-server") or "clickhouse-server", f"--config-file={config}"],
            cwd=self.folder,
            env=bare(self.folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._answers, SECONDS)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with closing(connection), suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/ping")
            return connection.getresponse().read() == b"Ok.\n"
        return False
