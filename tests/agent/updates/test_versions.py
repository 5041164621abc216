"""The order of versions, against pairs from products' real releases and the two standards."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from agent.updates.versions import in_range, version_key

PAIRS = """
v1.9.59 v1.9.60 | appsmith
v1.9.60 v1.10 | appsmith
v1.99 v2.0 | appsmith
v10.4.1 v10.4.2 | grafana
v9.5.18 v10.0.0 | grafana
v10.0.0-beta1 v10.0.0 | grafana
v11.0.0-preview v11.0.0 | grafana
v11.2.0 v11.2.0-security-01 | grafana
28.0.2 28.0.10 | nextcloud
29.0.0beta5 29.0.0rc1 | nextcloud
29.0.0rc4 29.0.0 | nextcloud
v29.0.0rc1 v29.0.0rc10 | nextcloud
2024.1.0b3 2024.1.0 | home assistant
2024.1.0b3 2024.1.0b10 | home assistant
2023.12.4 2024.1.0 | home assistant
2024.9.3 2024.10.0 | home assistant
v1.29.0+k3s1 v1.29.0+k3s2 | k3s
v1.29.0-rc1+k3s1 v1.29.0+k3s1 | k3s
v1.29.9+k3s1 v1.29.10+k3s1 | k3s
v1.29.0-alpha.3 v1.29.0-beta.0 | kubernetes
v1.29.0-rc.1 v1.29.0-rc.2 | kubernetes
v1.29.0-rc.2 v1.29.0 | kubernetes
RELEASE.2024-01-16T16-07-38Z RELEASE.2024-01-18T22-51-28Z | minio
RELEASE.2023-12-23T07-19-11Z RELEASE.2024-01-01T16-36-33Z | minio
RELEASE.2024-01-16T09-07-38Z RELEASE.2024-01-16T16-07-38Z | minio
16.8.1-ee.0 16.8.2-ee.0 | gitlab
16.9.9-ee.0 16.10.0-ee.0 | gitlab
16.8.0-rc42 16.8.0-rc43 | gitlab
23.0.4 23.0.5 | keycloak
6.4.0 6.10.0 | wordpress
6.5-beta1 6.5-RC1 | wordpress
6.5-RC4 6.5 | wordpress
5.0a1 5.0b1 | django
5.0rc1 5.0 | django
5.0 5.0.1 | django
3.13.0a6 3.13.0b1 | python
3.13.0rc3 3.13.0 | python
16beta3 16rc1 | postgresql
16rc1 16.0 | postgresql
9.6.24 10.0 | postgresql
22.04.4 24.04 | ubuntu
2.4.1-1 2.4.1-2 | debian
2.4.1 2.4.1-1 | debian
8.12.0 8.12.1 | elasticsearch
8.0.0-alpha2 8.0.0-SNAPSHOT | elasticsearch
8.0.0-SNAPSHOT 8.0.0 | elasticsearch
5.15.0-rc1 5.15.0 | mattermost
1.0.0-alpha 1.0.0-alpha.1 | semver.org
1.0.0-alpha.1 1.0.0-alpha.beta | semver.org
1.0.0-alpha.beta 1.0.0-beta | semver.org
1.0.0-beta 1.0.0-beta.2 | semver.org
1.0.0-beta.2 1.0.0-beta.11 | semver.org
1.0.0-beta.11 1.0.0-rc.1 | semver.org
1.0.0-rc.1 1.0.0 | semver.org
1.0.dev1 1.0a1 | PEP 440
1.0a1.dev2 1.0a1 | PEP 440
1.0a1 1.0a1.post1 | PEP 440
1.0 1.0.post1 | PEP 440
1.0.post1.dev1 1.0.post1 | PEP 440
1.0.post1 1.1.dev1 | PEP 440
2.0 1!1.0 | PEP 440
"""
ROWS = [tuple(line.partition(" |")[0].split()) for line in PAIRS.strip().splitlines()]
SAME = [("1.4", "v1.4.0"), ("1.0rc1", "1.0.0-rc.1"), ("2.0.0.Final", "2.0"), ("release-3.1", "3.1")]
NUMBERS = st.lists(st.integers(0, 99), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
ENDS = st.sampled_from(
    ["", ".dev1", "a1", "a2", "b1", "rc1", "rc2", ".post1", ".post2", "a1.dev1", "rc1.post1"]
)
VERSIONS = st.tuples(NUMBERS, ENDS).map("".join)
TEXTS = st.text("0123456789.-+!abrcdevpost ", min_size=1, max_size=12)
ANY = TEXTS.filter(lambda text: any(map(str.isdigit, text.partition("+")[0].rpartition("!")[2])))


@pytest.mark.parametrize(("older", "newer"), ROWS)
def test_a_release_comes_after_the_one_before_it(older: str, newer: str) -> None:
    assert version_key(older) < version_key(newer)


def test_the_table_has_sixty_pairs() -> None:
    assert len(ROWS) >= 60


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_spellings_are_one_version(one: str, other: str) -> None:
    assert version_key(one) == version_key(other)


@given(VERSIONS, VERSIONS)
def test_versions_of_pep_440_are_in_its_order(one: str, other: str) -> None:
    ours, theirs = (version_key(one), version_key(other)), (Version(one), Version(other))
    assert (ours[0] < ours[1], ours[0] == ours[1]) == (theirs[0] < theirs[1], theirs[0] == theirs[1])


@given(ANY, ANY, ANY)
def test_the_order_is_total(one: str, two: str, three: str) -> None:
    first, second, third = sorted(map(version_key, (one, two, three)))
    assert first <= second <= third
    assert first <= third


@pytest.mark.parametrize("text", ["+1", "latest", "v", "..."])
def test_a_text_without_a_number_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        version_key(text)


@pytest.mark.parametrize(
    ("version", "held"),
    [("0.9", False), ("1.0", True), ("1.4.1", True), ("1.4.2-rc1", True), ("1.4.2", False)],
)
def test_a_range_holds_where_all_its_comparisons_do(version: str, held: bool) -> None:
    assert in_range(version_key(version), ">=1.0, <1.4.2") is held
    assert in_range(version_key(version), "*")
    assert in_range(version_key(version), f"=={version}")


@pytest.mark.parametrize("wrong", ["1.0", ">= ", "~1", ">1,"])
def test_what_is_no_range_is_an_error(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        in_range(version_key("2"), wrong)
