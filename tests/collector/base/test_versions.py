"""The order of versions."""

from __future__ import annotations

import random

from collector.base.versions import is_same_release, version_key

ORDERED = ["0.9", "1.2-alpha", "1.2-rc1", "1.2-rc2", "1.2", "1.2.1", "1.9", "v1.10", "2024.1", "2024.11"]
# Builds and packages of releases, as Debian and `git describe` name them.
BUILDS = [
    "2.4",
    "2.4.0-1",
    "2.4-2",
    "v2.4.0-15-g1234567",
    "2.4.1~rc1-1",
    "2.4.1",
    "2.4.1-1",
    "2.4.10",
    "2.4.10-1",
]


def test_versions_are_sorted_as_they_were_released() -> None:
    shuffled = random.Random(1).sample(ORDERED, len(ORDERED))
    assert sorted(shuffled, key=version_key) == ORDERED


def test_builds_of_a_release_come_before_the_next_one() -> None:
    shuffled = random.Random(1).sample(BUILDS, len(BUILDS))
    assert sorted(shuffled, key=version_key) == BUILDS
    assert not is_same_release("2.4.0-1", "2.4.1")


def test_any_text_has_a_place() -> None:
    texts = ["", "latest", "1..2", "9" * 100, "ünï", "(hidden)", "1.2+build.7"]
    assert len(sorted(texts, key=version_key)) == len(texts)
    assert version_key("1.2+build.7") == version_key("1.2")
