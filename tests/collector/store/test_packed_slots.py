"""The slots of an instance as bytes."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from collector.store.packed_slots import pack_slots, unpack_slots
from collector.store.spans import SLOTS_A_DAY

YEAR = 365 * SLOTS_A_DAY


def bare(slots: int) -> bytes:
    """As older versions have stored them."""
    return slots.to_bytes((slots.bit_length() + 7) // 8, "little")


@given(st.integers(0, 2 ** (3 * YEAR)))
def test_what_is_packed_comes_out_again_and_is_never_longer_than_the_bits(slots: int) -> None:
    assert unpack_slots(pack_slots(slots)) == slots
    assert len(pack_slots(slots)) <= len(bare(slots))


@given(st.integers(0, 2**YEAR))
def test_the_slots_of_an_older_version_are_read(slots: int) -> None:
    assert unpack_slots(bare(slots)) == slots


def test_a_year_takes_little_with_one_heartbeat_of_fifty_missing_and_hardly_anything_without() -> None:
    chance, whole = random.Random(1), 2**YEAR - 1
    for slots, most in ((whole & ~sum(1 << chance.randrange(YEAR) for _ in range(29)), 80), (whole, 12)):
        assert len(bare(slots)) == 183
        assert len(pack_slots(slots)) <= most
        assert unpack_slots(pack_slots(slots)) == slots
