"""A ClickHouse cluster on this machine: two shards of three replicas each, and three ZooKeepers."""

from __future__ import annotations

import http.client
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tests import leftovers
from tests.e2e.clickhouse.members import HERE, Keeper, Member, Replica
from tests.ports import Ports
from tests.wait import until

SHARDS, REPLICAS, KEEPERS = 2, 3, 3
MEMORY = "/dev/shm"


class ClickHouseCluster:
    """The cluster, and new databases on it."""

    def __init__(self) -> None:
        memory = MEMORY if Path(MEMORY).is_dir() else None  # each column of each part is a file
        self.folder = Path(tempfile.mkdtemp(prefix="rollcall-cluster-", dir=memory))
        self.ports = Ports()
        self.keepers = [Keeper(self.folder, number + 1, self.ports) for number in range(KEEPERS)]
        self.replicas = [
            Replica(self.folder, shard + 1, number + 1, self.ports)
            for shard in range(SHARDS)
            for number in range(REPLICAS)
        ]
        self.databases = 0
        for keeper in self.keepers:
            keeper.configure(self.keepers)
        for replica in self.replicas:
            replica.configure(self.keepers, self.replicas)

    @property
    def members(self) -> list[Member]:
        return [*self.keepers, *self.replicas]

    def start(self) -> None:
        """Start all. A server that starts without ZooKeeper's quorum ends, so that comes first."""
        self.restart(self.keepers)
        self.restart(self.replicas)
        until(self._all_define, why="every server makes what is defined on the cluster")

    def restart(self, members: Iterable[Member]) -> None:
        """Start those that do not run, and wait until all of them answer."""
        wanted = list(members)
        for member in wanted:
            if member.process is None:
                member.start()
        for member in wanted:
            try:
                until(lambda member=member: _is_up(member), why=f"{member.name} answers")  # type: ignore[misc]
            except TimeoutError as error:
                raise AssertionError(member.last_words()) from error

    def _all_define(self) -> bool:
        if not all(map(_is_up, self.replicas)):
            return False
        with suppress(OSError, http.client.HTTPException):
            self.replicas[0].ask("CREATE DATABASE IF NOT EXISTS ready ON CLUSTER fleet")
            return all("ready" in one.ask("SHOW DATABASES") for one in self.replicas)
        return False

    def database(self) -> str:
        """The URL of a new database; the store makes it, on all members: so all run."""
        self.restart(self.members)
        self.databases += 1
        hosts = ",".join(f"{HERE}:{replica.http}" for replica in self.replicas)
        return f"clickhouse://default@{hosts}/test{self.databases}?cluster=fleet"

    def left(self) -> str:
        """What each server has left to do, as it says."""
        return "\n".join(f"{one.name}:\n{one.left()}" for one in self.replicas)

    def remove(self) -> None:
        for member in self.members:
            member.kill()
        self.ports.give_back()
        leftovers.remove(self.folder)


def _is_up(member: Member) -> bool:
    """Whether it answers; one that has crashed is started again."""
    if member.has_crashed():
        member.kill()
        member.start()
    return member.answers()
