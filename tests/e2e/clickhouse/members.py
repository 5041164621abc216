"""The processes of a ClickHouse cluster: replicas of Debian's server, and ZooKeepers."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from tests.environ import bare
from tests.parts import find
from tests.ports import Ports

ANSWER_SECONDS = 10
HERE = "127.0.0.1"

# What ZooKeeper needs of Debian's Java libraries.
JARS = (
    "zookeeper",
    "zookeeper-jute",
    "slf4j-api",
    "slf4j-nop",
    "netty-all",
    "netty-buffer",
    "netty-common",
    "netty-handler",
    "netty-transport",
    "netty-resolver",
    "netty-codec",
    "commons-cli",
    "metrics-core",
    "snappy-java",
    "audience-annotations",
)
JAVA = ("-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")

_SERVER = """<yandex>
<logger><level>warning</level><log>{folder}/log</log><errorlog>{folder}/errors</errorlog></logger>
<http_port>{http}</http_port><tcp_port>{tcp}</tcp_port><listen_host>127.0.0.1</listen_host>
<interserver_http_port>{between}</interserver_http_port>
<interserver_http_host>127.0.0.1</interserver_http_host>
<path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path><user_files_path>{folder}/files/</user_files_path>
<mark_cache_size>16777216</mark_cache_size><users_config>{folder}/users.xml</users_config>
<default_profile>default</default_profile><default_database>default</default_database>
<timezone>UTC</timezone><max_concurrent_queries>200</max_concurrent_queries>
<background_pool_size>4</background_pool_size>
<remote_servers><fleet>{shards}</fleet></remote_servers>
<zookeeper>{keepers}<session_timeout_ms>3000</session_timeout_ms></zookeeper>
<macros><shard>{shard}</shard><replica>{number}</replica></macros>
<distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>
</yandex>"""
# After which a server of 2018 does not run what is told the whole cluster. It may fault where it makes its
# first node in ZooKeeper, and answers for 10 s more. And its thread for such statements ends when it alters a
# table at the same time as another replica.
FAULTS = (b"Received signal", b"Unexpected ZooKeeper error")
# A server that was killed does not start if more than half of a table's rows are in parts that only it knows.
UNKNOWN_PARTS = b"look like the set of parts in ZooKeeper"
# As docs/scaling.md has it for old servers: so long they wait for one another.
RECEIVE_SECONDS = 10
_USERS = """<yandex><quotas><default></default></quotas>
<profiles><default><max_threads>1</max_threads><background_pool_size>4</background_pool_size>
<receive_timeout>{seconds}</receive_timeout></default></profiles>
<users><default><password></password><networks><ip>127.0.0.1</ip></networks>
<profile>default</profile><quota>default</quota></default></users></yandex>"""
_LEFT = (
    "SELECT * FROM system.mutations WHERE is_done = 0 FORMAT Vertical",
    "SELECT * FROM system.replication_queue FORMAT Vertical",
)
_KEEPER = """tickTime=250
initLimit=40
syncLimit=20
dataDir={folder}/data
clientPort={port}
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=*
maxClientCnxns=0
{servers}"""


class Member:
    """A process of the cluster, which may be killed and started again."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder / name, name
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        with (self.folder / "said").open("ab") as said:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=bare(self.folder),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def has_crashed(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def last_words(self) -> str:
        """The end of all that it has written, to tell why it does not answer."""
        written = [one for name in ("said", "errors", "log") if (one := self.folder / name).exists()]
        return "\n".join(f"{one}:\n{one.read_text(errors='replace')[-3000:]}" for one in written)

    def freeze(self) -> None:
        """Let it answer nothing, though the kernel accepts connections for it."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


class Keeper(Member):
    """A ZooKeeper."""

    def __init__(self, folder: Path, number: int, ports: Ports) -> None:
        super().__init__(folder, f"keeper{number}")
        self.number = number
        self.port, self.peer, self.election = ports.take(), ports.take(), ports.take()

    def configure(self, keepers: Sequence[Keeper]) -> None:
        (self.folder / "data").mkdir(parents=True)
        servers = "".join(f"server.{one.number}={HERE}:{one.peer}:{one.election}\n" for one in keepers)
        config = _KEEPER.format(folder=self.folder, port=self.port, servers=servers)
        (self.folder / "zoo.cfg").write_text(config)
        (self.folder / "data" / "myid").write_text(str(self.number))

    def command(self) -> Sequence[str]:
        path = ":".join(f"/usr/share/java/{jar}.jar" for jar in JARS)
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        return [find("java") or "java", *JAVA, "-cp", path, main, str(self.folder / "zoo.cfg")]

    def answers(self) -> bool:
        """Whether it is in a quorum."""
        with suppress(OSError), socket.create_connection((HERE, self.port), timeout=ANSWER_SECONDS) as link:
            link.sendall(b"srvr")
            said = b""
            while more := link.recv(4096):
                said += more
            return b"Mode: " in said
        return False


class Replica(Member):
    """A ClickHouse server with a copy of one shard."""

    def __init__(self, folder: Path, shard: int, number: int, ports: Ports) -> None:
        super().__init__(folder, f"replica{shard}{number}")
        self.shard, self.number = shard, number
        self.http, self.tcp, self.between = ports.take(), ports.take(), ports.take()

    def configure(self, keepers: Sequence[Keeper], replicas: Sequence[Replica]) -> None:
        self.folder.mkdir(parents=True)
        config = _SERVER.format(
            folder=self.folder,
            http=self.http,
            tcp=self.tcp,
            between=self.between,
            shard=self.shard,
            number=self.number,
            shards="".join(_shard(replicas, shard) for shard in sorted({one.shard for one in replicas})),
            keepers="".join(_node(keeper) for keeper in keepers),
        )
        (self.folder / "config.xml").write_text(config)
        (self.folder / "users.xml").write_text(_USERS.format(seconds=RECEIVE_SECONDS))

    def command(self) -> Sequence[str]:
        return [find("clickhouse-server") or "clickhouse-server", f"--config-file={self.folder}/config.xml"]

    def start(self) -> None:
        """Start it, as docs/scaling.md says where it does not start by itself."""
        errors, flag = self.folder / "errors", self.folder / "data" / "flags" / "force_restore_data"
        if errors.exists() and UNKNOWN_PARTS in errors.read_bytes():
            flag.touch()
        errors.unlink(missing_ok=True)
        super().start()

    def has_crashed(self) -> bool:
        """Or does not run what is told the whole cluster any more."""
        errors = self.folder / "errors"
        said = errors.read_bytes() if errors.exists() else b""
        return super().has_crashed() or any(fault in said for fault in FAULTS)

    def answers(self) -> bool:
        with suppress(OSError, http.client.HTTPException):
            return self.ask("SELECT 1") == "1\n"
        return False

    def ask(self, sql: str) -> str:
        """What this server alone answers. It waits 5 s at most for others."""
        connection = http.client.HTTPConnection(HERE, self.http, timeout=ANSWER_SECONDS)
        with closing(connection):
            connection.request("POST", "/?distributed_ddl_task_timeout=5", sql.encode())
            return connection.getresponse().read().decode(errors="replace")

    def left(self) -> str:
        """The deletions that have not ended, what waits for its turn, and its last words."""
        with suppress(OSError, http.client.HTTPException):
            return "".join(map(self.ask, _LEFT)) + self.last_words()
        return self.last_words()


def _shard(replicas: Sequence[Replica], shard: int) -> str:
    its = "".join(
        f"<replica><host>{HERE}</host><port>{one.tcp}</port></replica>"
        for one in replicas
        if one.shard == shard
    )
    return f"<shard><internal_replication>true</internal_replication>{its}</shard>"


def _node(keeper: Keeper) -> str:
    return f'<node index="{keeper.number}"><host>{HERE}</host><port>{keeper.port}</port></node>'
