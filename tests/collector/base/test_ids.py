"""Ids and their 16 bytes."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.base.ids import as_uuid, key_of, new_id

AT = 1_795_168_800_000  # 2026-11-20T10:00:00Z


@given(st.uuids())
def test_a_uuid_is_its_own_key_in_either_case(value: uuid.UUID) -> None:
    assert key_of(str(value)) == key_of(str(value).upper()) == value.bytes
    assert as_uuid(value.bytes) == str(value)


@given(st.text(min_size=1, max_size=100))
def test_any_text_has_a_key_of_16_bytes(text: str) -> None:
    assert len(key_of(text)) == 16
    assert key_of(text) != key_of(text + "x")


@pytest.mark.parametrize(
    "text", ["0193a5b0-1234-7abc-8def-0123456789ag", "0193a5b0-1234-7abc-8def- 123456789a ", "-" * 36]
)
def test_what_only_looks_like_a_uuid_is_text(text: str) -> None:
    assert key_of(text) != key_of(text[:-1] + "0")
    assert len(key_of(text)) == 16


def test_ids_that_tell_their_time_are_keys_in_its_order() -> None:
    times = [AT + n for n in range(50)]
    for form in ("node-next-{}-6f1", "ajs-next-{}-6f1"):
        keys = [key_of(form.format(at)) for at in times]
        assert keys == sorted(keys)
    made = [new_id(at) for at in times]
    assert made == sorted(made)
    assert {uuid.UUID(text).version for text in made} == {7}
