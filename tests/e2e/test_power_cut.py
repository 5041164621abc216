"""200 means stable storage: after a power cut every acknowledged event is there, once, in both stores."""

import http.client
import json
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from random import Random

import pytest

from tests.collector.running import basic
from tests.e2e import power
from tests.wait import PATIENCE

SEED = 20261128
CLIENTS = 3  # of each store
MOST_EVENTS = 20
ANSWERS = (5, 60)
"""How many requests of each store are answered before the cut, at least."""
CUTS, CUTS_SLOW = 2, 60
CARELESS = ({"UNSAFE": "yes"}, {"OPTIONS": ",barrier=0"})
"""What must lose events: stores that flush nothing, and a file system that does not flush the disk."""


@dataclass
class Client:
    """A client of one store, which sends batch after batch, and a batch without an answer again."""

    store: str
    key: str
    chance: Random
    told: set[str] = field(default_factory=set)
    """The ids of the events that were answered with 200."""
    batch: list[dict[str, object]] = field(default_factory=list)
    """Sent, and not answered yet."""

    def send(self, port: int, answered: threading.Semaphore) -> None:
        """Send until the power goes."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        with closing(connection), suppress(OSError, http.client.HTTPException):
            while True:
                self.batch = self.batch or [self.event() for _ in range(self.chance.randint(1, MOST_EVENTS))]
                if self.answer(connection) == http.client.OK:
                    self.told.update(str(event["messageId"]) for event in self.batch)
                    self.batch = []
                    answered.release()

    def answer(self, connection: http.client.HTTPConnection) -> int:
        headers = {"Authorization": basic(self.key), "Content-Type": "application/json"}
        connection.request("POST", "/v1/batch", json.dumps({"batch": self.batch}), headers)
        with connection.getresponse() as answer:
            answer.read()
        return answer.status

    def event(self) -> dict[str, object]:
        name = self.chance.choice(["Instance Active", "Installation Started", "Something Used"])
        ids = [str(uuid.UUID(int=self.chance.getrandbits(128))) for _ in range(3)]
        installation = {"app": {"name": "tried", "version": "1"}, "installation": {"id": ids[2]}}
        return {
            "type": "track",
            "event": name,
            "messageId": ids[0],
            "anonymousId": ids[1],
            "context": installation,
        }


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> power.Machine:
    return power.build(tmp_path_factory.mktemp("machine"))


@pytest.mark.needs("root", "user", "qemu", "postgresql", "busybox", "loop")
@pytest.mark.timeout(3600)
def test_what_was_answered_with_200_is_there_once_after_each_power_cut(
    machine: power.Machine, *, slow: bool
) -> None:
    chance = Random(SEED)
    careless = []
    for told in CARELESS if slow else CARELESS[:1]:
        careless.append(new_clients(machine, chance))
        with power.booted(machine, **told) as guest:
            send_until_the_cut(guest, careless[-1], chance)
        machine.lose(lambda: False)
    clients = new_clients(machine, chance)
    for cut in range(CUTS_SLOW if slow else CUTS):
        with power.booted(machine) as guest:
            if not cut:
                assert all(all(lost(guest.kept, told_by(them)).values()) for them in careless)
            assert_safe(guest, clients)
            send_until_the_cut(guest, clients, chance)
        machine.lose(some_survive(chance))
    with power.booted(machine) as guest:
        assert_safe(guest, clients)
    assert all(told_by(clients).values())


def assert_safe(guest: power.Guest, clients: list[Client]) -> None:
    assert lost(guest.kept, told_by(clients)) == dict.fromkeys(guest.kept, 0)
    assert doubled(guest.kept) == []


def new_clients(machine: power.Machine, chance: Random) -> list[Client]:
    return [
        Client(store, key, Random(chance.random()))
        for store, key in machine.keys.items()
        for _ in range(CLIENTS)
    ]


def send_until_the_cut(guest: power.Guest, clients: list[Client], chance: Random) -> None:
    """Send from all clients at once, and cut the power at a random moment."""
    answered = {store: threading.Semaphore(0) for store in guest.ports}
    threads = [
        threading.Thread(target=client.send, args=(guest.ports[client.store], answered[client.store]))
        for client in clients
    ]
    for thread in threads:
        thread.start()
    for store in chance.sample(list(answered), k=len(answered)):
        for _ in range(chance.randint(*ANSWERS)):
            assert answered[store].acquire(timeout=PATIENCE)
    guest.cut()
    for thread in threads:
        thread.join()


def told_by(clients: list[Client]) -> dict[str, set[str]]:
    """The ids of the events that were answered with 200, by store."""
    return {
        store: set().union(*(client.told for client in clients if client.store == store))
        for store in power.PORTS
    }


def lost(kept: dict[str, list[str]], told: dict[str, set[str]]) -> dict[str, int]:
    """How many acknowledged events each store lacks."""
    return {store: len(told[store] - set(ids)) for store, ids in kept.items()}


def doubled(kept: dict[str, list[str]]) -> list[str]:
    return [one for ids in kept.values() for one, count in Counter(ids).items() if count > 1]


def some_survive(chance: Random) -> Callable[[], bool]:
    """Of the writes that no flush has covered: none, half or most of them."""
    share = chance.choice((0, 0.5, 0.9))
    return lambda: chance.random() < share
