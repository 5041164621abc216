"""Sums of several processes."""

from __future__ import annotations

import os

from collector.base.limits import TokenBuckets
from collector.base.shared import PLACES, SharedSums


def test_what_a_fork_adds_is_news_to_the_others_once() -> None:
    sums = SharedSums(3)
    mine = sums.account(0, ("peer", "192.0.2.1"))
    for number in (1, 2):
        child = os.fork()
        if child == 0:
            sums.account(number, ("peer", "192.0.2.1")).add(number * 2.5)
            os._exit(0)
        os.waitpid(child, 0)
    mine.add(100)
    assert mine.news() == 7.5
    assert mine.news() == 0
    assert sums.account(0, ("peer", "192.0.2.1")).news() == 0  # what was before is known
    other = sums.account(1, ("peer", "192.0.2.1"))
    mine.add(-40)
    assert other.news() == -40


def test_a_name_that_shares_a_place_with_another_is_not_charged_for_it() -> None:
    sums = SharedSums(2)
    here = [sums.account(0, ("peer", f"here {number}")) for number in range(2000)]
    there = [sums.account(1, ("peer", f"there {number}")) for number in range(PLACES // 4)]
    for account in there:
        account.add(1)
    charged = sum(account.news() > 0 for account in here)
    assert 0 < charged < 2000 * 0.2  # with one place it would be 22 %, with two of the same sort 39 %
    sums.account(1, ("peer", "here 7")).add(3)
    assert here[7].news() >= 3


def test_a_rate_holds_for_all_processes_together() -> None:
    now = [0.0]
    sums = SharedSums(2)
    first, second = (
        TokenBuckets[str](10, 100, lambda: now[0], others=lambda peer, at=at: sums.account(at, peer))  # type: ignore[misc]
        for at in (0, 1)
    )
    for buckets in (first, second):
        buckets.pay("a", 1)
    first.pay("a", 200)
    assert first.wait("a") > 10
    assert second.wait("a") > 10
    assert second.wait("b") == 0
    paid = 0
    for _ in range(600):  # a minute, with a try at each every tenth of a second
        now[0] += 0.1
        for buckets in (first, second):
            if not buckets.wait("a"):
                buckets.pay("a", 5)
                paid += 5
    assert paid <= 600 - 100
