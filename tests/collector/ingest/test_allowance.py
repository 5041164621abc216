"""What a key may still send, between the looks at the store."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from collector.base.events import Event
from collector.base.http import Refused
from collector.base.shared import SharedSums
from collector.ingest.allowance import Allowance
from collector.ingest.keyring import WriteKey
from collector.ingest.member import Member
from collector.settings import PREFIX, read_settings
from collector.store.usage import HOUR_MS, stored_bytes

NOW = 1_790_000_000
EVENT = Event(1, b"x" * 16, NOW * 1000, NOW * 1000, "track", "x", None, None, "{}")
SIZE = stored_bytes(EVENT)
KEY = WriteKey(7, 1, "web", None, None, {})


@pytest.fixture
def moment() -> list[float]:
    return [0.0]


@pytest.fixture
def allowed(moment: list[float]) -> Callable[..., Allowance]:
    """An allowance of so many events a day for a key, half of them at once."""

    def make(events: int) -> Allowance:
        settings = read_settings({PREFIX + "DAILY": str(events * SIZE), "HOME": "/nowhere"})
        made = Allowance(settings, lambda: NOW + moment[0], lambda: moment[0])
        made.update([KEY])
        return made

    return make


def spend(allowance: Allowance, peer: str = "a") -> None:
    with allowance.spend(KEY, peer, [EVENT]):
        pass


def refused(allowance: Allowance, peer: str = "a") -> Refused | None:
    try:
        allowance.check_key(KEY, peer)
    except Refused as refusal:
        return refusal
    return None


def test_what_could_not_be_stored_is_given_back(allowed: Callable[..., Allowance]) -> None:
    allowance = allowed(8)
    for _ in range(20):
        with pytest.raises(OSError, match="full"), allowance.spend(KEY, "a", [EVENT]):
            raise OSError("full")
    assert refused(allowance) is None
    for peer in "abcd":
        spend(allowance, peer)
    with pytest.raises(Refused):
        spend(allowance, "e")


def test_what_is_being_written_is_not_forgotten_when_the_store_is_read(
    allowed: Callable[..., Allowance],
) -> None:
    allowance = allowed(2)
    with allowance.spend(KEY, "a", [EVENT]):
        allowance.update([KEY])
        assert refused(allowance, "b")
    allowance.begin_count()
    allowance.update([KEY])
    assert not refused(allowance, "b")


def test_a_look_at_the_keys_alone_gives_nothing_back(allowed: Callable[..., Allowance]) -> None:
    """It knows what the store had counted before: an unknown key would make another's bytes come back."""
    allowance = allowed(2)
    spend(allowance)
    allowance.update([KEY], False)
    assert refused(allowance, "b")
    allowance.begin_count()
    allowance.update([KEY])
    assert not refused(allowance, "b")


def test_what_is_stored_while_the_store_counts_does_not_come_back(allowed: Callable[..., Allowance]) -> None:
    allowance = allowed(2)
    allowance.begin_count()
    spend(allowance)
    allowance.update([KEY])  # the count has missed it
    assert refused(allowance, "b")
    allowance.begin_count()
    allowance.update([KEY])
    assert not refused(allowance, "b")


def test_another_limit_gives_nothing_back(allowed: Callable[..., Allowance]) -> None:
    allowance = allowed(2)
    spend(allowance)
    allowance.update([WriteKey(7, 1, "web", None, 2 * SIZE + 1, {})], False)
    assert refused(allowance, "b")


def test_what_the_store_has_counted_holds(allowed: Callable[..., Allowance], moment: list[float]) -> None:
    allowance = allowed(24)
    used = {NOW * 1000 // HOUR_MS: 13 * SIZE}
    allowance.update([WriteKey(7, 1, "web", None, None, used)])
    refusal = refused(allowance)
    assert refusal
    assert refusal.status == 429
    assert refusal.retry == 3600
    moment[0] += 2 * 3600 + 60
    assert not refused(allowance)


def test_a_rate_and_a_share_survive_a_look_at_the_store(allowed: Callable[..., Allowance]) -> None:
    allowance = allowed(8)
    spend(allowance)
    allowance.pay(KEY, "a", 0, 50_000 * 1024)
    for _ in range(3):
        allowance.update([KEY])
        assert refused(allowance, "b")
    moved = WriteKey(7, 1, "web", 5.0, None, {})
    allowance.update([moved])
    assert not refused(allowance, "b")


def test_a_key_that_was_revoked_meanwhile_is_counted_all_the_same(allowed: Callable[..., Allowance]) -> None:
    allowance = allowed(2)
    allowance.update([])
    spend(allowance)
    assert refused(allowance)


def test_workers_share_what_a_key_and_a_peer_may_send() -> None:
    sums = SharedSums(2)
    settings = read_settings({PREFIX + "RATE": "10", PREFIX + "PEER_RATE": "1", "HOME": "/nowhere"})
    workers = [
        Allowance(settings, lambda: NOW, lambda: 0.0, others=Member(number, "", sums).account)
        for number in (0, 1)
    ]
    for worker in workers:
        worker.update([KEY])
    workers[1].pay(KEY, "a", 0, 0)  # from here on it knows this peer
    workers[0].pay(KEY, "a", 10, 0)
    for worker in workers:
        with pytest.raises(Refused, match="too many events"):
            worker.check_peer("a")
        worker.check_peer("b")
        worker.check_key(KEY, "b")
    workers[1].pay(KEY, "b", 95, 0)
    with pytest.raises(Refused, match="too many events"):
        workers[0].check_key(KEY, "c")
