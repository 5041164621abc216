"""Token buckets."""

from __future__ import annotations

import pytest

from collector.base.limits import TokenBuckets


def test_a_bucket_lets_a_large_batch_in_and_has_it_paid_off() -> None:
    now = 100.0
    buckets: TokenBuckets[str] = TokenBuckets(10, 20, lambda: now)
    assert buckets.wait("a") == 0
    buckets.pay("a", 100)
    assert buckets.wait("a") == pytest.approx(8.1)
    assert buckets.wait("b") == 0
    now += 8.2
    assert buckets.wait("a") == 0


def test_buckets_are_bounded_and_zero_is_no_limit() -> None:
    few: TokenBuckets[int] = TokenBuckets(1, 2, lambda: 0.0, most=3)
    for number in range(10):
        few.pay(number, 1)
    assert len(few._buckets) == 3
    none: TokenBuckets[int] = TokenBuckets(0, 1, lambda: 0.0)
    none.pay(1, 1e9)
    assert none.wait(1) == 0
