"""One of several collectors deletes what is old; the others leave it to that one."""

from __future__ import annotations

from contextlib import suppress

import pytest

from collector.base.keep import Keep
from collector.serve.keeper import Keeper
from collector.store import Stores, claims
from collector.store.claims import LONGEST_MS, AlreadyClaimed, claimed_expiry
from collector.store.deletion import expire_events
from collector.store.values import Cutoffs
from tests.collector.store.contract.history import NOW, made_history
from tests.wait import until


def expire(stores: Stores, now: int = NOW) -> int:
    return expire_events(stores, Cutoffs.all_at(NOW), now, lambda _: None).deleted


def test_while_one_collector_deletes_another_does_not(
    stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    stores.events.keep(made_history(0))
    with claimed_expiry(stores.control, NOW):
        with pytest.raises(AlreadyClaimed, match="when it is done, or in 2 hours if it was killed"):
            expire(stores)
        Keeper(stores, Keep(*[86_400] * 3), lambda: NOW / 1000).expire()
    assert caplog.messages == []
    assert expire(stores) > 0


def test_a_claim_holds_for_as_long_as_its_work_goes_on(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that write the same batch would spoil the numbers of both."""
    monkeypatch.setattr(claims, "RENEWED_SECONDS", 0.01)
    claim = "SELECT until FROM claims"
    with claimed_expiry(stores.control, NOW):
        until(lambda: stores.control.all(claim)[0][0] > NOW + LONGEST_MS, why="the claim is renewed")
        with pytest.raises(AlreadyClaimed):
            expire(stores, NOW + LONGEST_MS)
    assert stores.control.all(claim) == []


def test_a_claim_ends_with_its_work_and_also_without_an_end(stores: Stores) -> None:
    with suppress(ZeroDivisionError), claimed_expiry(stores.control, NOW):
        _ = 1 / 0
    stores.events.keep(made_history(0))
    killed = claimed_expiry(stores.control, NOW)
    killed.__enter__()
    with pytest.raises(AlreadyClaimed):
        expire(stores, NOW + LONGEST_MS - 1)
    assert expire(stores, NOW + LONGEST_MS) > 0
    with claimed_expiry(stores.control, NOW):
        killed.__exit__(None, None, None)  # late: what another one claimed since is left alone
        with pytest.raises(AlreadyClaimed):
            expire(stores)
