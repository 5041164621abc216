import uuid

from hypothesis import given
from hypothesis import strategies as st

from agent.base import ids


@given(st.floats(0, 2**47 / 1000), st.binary(min_size=10, max_size=10))
def test_a_message_id_is_a_uuid_of_version_7_with_the_time_in_it(now: float, random: bytes) -> None:
    made = uuid.UUID(ids.uuid7(now, lambda count: random[:count]))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == int(now * 1000)
    low = int.from_bytes(random, "big")
    assert made.int & ((1 << 62) - 1) == low & ((1 << 62) - 1)


@given(st.lists(st.integers(0, 2**47), min_size=2, unique=True))
def test_message_ids_sort_as_their_milliseconds_do(millis: list[int]) -> None:
    made = [ids.uuid7(milli / 1000 + 0.0001) for milli in sorted(millis)]
    assert made == sorted(made)


def test_no_two_message_ids_of_one_moment_are_the_same() -> None:
    assert len({ids.uuid7(1.8e9) for _ in range(10_000)}) == 10_000


def test_an_id_of_a_run_is_a_uuid_of_version_4_and_never_twice_the_same() -> None:
    made = [uuid.UUID(ids.uuid4()) for _ in range(1000)]
    assert {(one.version, one.variant) for one in made} == {(4, uuid.RFC_4122)}
    assert len(set(made)) == len(made)
