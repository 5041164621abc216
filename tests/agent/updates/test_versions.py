"""The order of versions: pairs of real products' releases, and what holds for all."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.updates.versions import in_range, is_later, version_key

PAIRS = """
1.0 1.0.1 | 1.9 1.10 | 1.0rc1 1.0 | 1.0a1 1.0b1 | 1.0b2 1.0rc1 | 1.0.dev3 1.0a1 | 1.0 1.0.post1
1.0.post1 1.0.1 | 1.0rc1.dev2 1.0rc1 | 1.0a9 1.0a10 | 2.0 1!1.0 | 1.0-alpha 1.0-alpha.1
1.0.0-alpha.1 1.0.0-beta | 1.0.0-beta.2 1.0.0-beta.11 | 1.0.0-beta.11 1.0.0-rc.1 | 1.0.0-rc.1 1.0.0
v1.2.3 v1.2.4 | 1.2.3 v1.3.0-rc.0 | 0.9.99 1.0 | 1.2-SNAPSHOT 1.2 | 2023.12.1 2024.1.0b3
2024.1.0b3 2024.1.0 | 2024.1.0 2024.1.1 | 22.04 22.04.1 | 22.10 24.04 | 20240115 20240116
2024-01-15 2024-02-01 | RELEASE.2024-01-13T07-53-03Z RELEASE.2024-01-16T16-07-38Z | 1.1.1k 1.1.1w
1.0.2u 1.1.0 | 16.7.0-ee 16.7.2-ee | 16.9.0-ce 16.10.0-ce | 15.11.0-ee.0 15.11.0-ee.1 | 8.0.0-rc1 8.0.0
7.17.9 8.0.0-alpha1 | 9.0.0-beta1 9.0.0 | 10.2.3 10.2.3-1 | 10.2.3-1 10.2.4 | 1.0~rc1 1.0 | 1.0~rc1 1.0-1
2.7.18 3.0.0a1 | 5.0.0.M1 5.0.0.RC1 | 5.0.0.RC1 5.0.0.RELEASE | 5.3.9.Final 5.3.10.Final
4.19.0 4.19.0-p1 | 2.4.6 2.4.6-p3 | 2.4.6-p3 2.4.7-beta1 | 9.16.1 9.18.0 | 1.0.0-preview.7 1.0.0
6.0.0-preview.7 6.0.0-rc.1 | 3.11.9 3.12.0a1 | 1.25.0-alpha.3 1.25.0-beta.0 | v1.28.3+k3s1 v1.28.4+k3s1
v1.28.4-rc1+k3s1 v1.28.4+k3s1 | 0.0.9 0.0.10 | 1.20-dev 1.20 | 1.21.0-dev-5-g1a2b3c4 1.21.0
26.0.0beta3 26.0.0rc1 | 27.1.4 28.0.0 | 4.2.0rc1 4.2.0 | 3.5.0 3.5.0.1 | 1.9.9 1.9.10
2.0.0-nightly.20240101 2.0.0
"""
LATER = [tuple(pair.split()) for line in PAIRS.strip().splitlines() for pair in line.split(" | ")]
SAME = [
    ("1.0", "1.0.0"), ("v2.1", "2.1"), ("1.0+build.5", "1.0"), ("2.0-ee", "2.0"), ("1.0.Final", "1.0"),
    ("1.2.3-g1a2b3c4", "1.2.3"), ("1.0RC1", "1.0-rc.1"), ("1.0alpha2", "1.0a2"),
]  # fmt: skip
VERSIONS = st.from_regex(
    r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}((-|\.|)(a|b|rc|post|dev|p)[0-9]{0,2})?", fullmatch=True
)


@pytest.mark.parametrize(("earlier", "later"), LATER)
def test_a_later_release_is_later(earlier: str, later: str) -> None:
    assert is_later(later, earlier)
    assert not is_later(earlier, later)


def test_these_are_enough_pairs() -> None:
    assert len(LATER) >= 60


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_ways_to_write_a_version_are_the_same(one: str, other: str) -> None:
    assert version_key(one) == version_key(other)


@given(VERSIONS, VERSIONS, VERSIONS)
def test_versions_have_one_order(one: str, two: str, three: str) -> None:
    first, second, third = sorted([one, two, three], key=version_key)
    assert not is_later(first, second)
    assert not is_later(second, third)
    assert not is_later(first, third)


@given(VERSIONS, st.integers(0, 99))
def test_one_more_is_later_and_a_candidate_for_it_is_earlier(version: str, number: int) -> None:
    numbers = version_key(version)[1]
    more = ".".join(map(str, (*numbers[:-1], numbers[-1] + 1)))
    assert is_later(more, version)
    assert is_later(more, f"{more}-rc.{number}")
    assert is_later(f"{more}.post{number}", more)


@given(st.text(max_size=80))
def test_any_text_is_a_version_or_refused(text: str) -> None:
    try:
        found = version_key(text)
    except ValueError:
        return
    assert found == version_key(text)


@pytest.mark.parametrize("text", ["none", "latest", "1" * 65, "१.२"])
def test_what_cannot_be_compared_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        version_key(text)


def test_a_range_is_all_of_its_conditions() -> None:
    assert in_range("1.3", ">=1.2 <1.4.1")
    assert not in_range("1.4.1", ">=1.2 <1.4.1")
    assert not in_range("1.1", ">=1.2 <1.4.1")
    assert in_range("1.2", ">1.1 <=1.2")
    assert in_range("1.2.0", "1.2")
    assert not in_range("1.2.1", "=1.2")
    for wanted in (" ", "<", "<x"):
        with pytest.raises(ValueError, match=wanted[-1]):
            in_range("1", wanted)
