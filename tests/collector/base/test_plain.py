"""No text that a stranger chose becomes a link."""

from __future__ import annotations

import pytest

from collector.base.plain import is_plain_file, is_plain_system, is_plain_version

VERSIONS = ["1.0", "v2", "0.9.1-rc.1", "2024.10", "1.2.x", "1.0.rc1", "1.0~beta+b7", "2.0 beta"]
LINKS = [
    "evil.com",
    "evil-login.com",
    "visit evil.com",
    "1.evil.com",
    "v1.evil.com.",
    "1 evil.com-x",
    "9.xn--p1ai",
]
FAR_OFF = ["", "x" * 32, "a/b", "http:x", "a@b", "<b>", "1.0\n", "a b c"]


@pytest.mark.parametrize("text", VERSIONS)
def test_versions_may_be_shown(text: str) -> None:
    assert is_plain_version(text)


@pytest.mark.parametrize("text", [*LINKS, *FAR_OFF, "nightly", "version"])
def test_what_may_become_a_link_is_no_version(text: str) -> None:
    assert not is_plain_version(text)


def test_a_system_is_no_link_and_a_file_may_look_like_a_host() -> None:
    assert all(map(is_plain_system, ["debian 12", "ubuntu 24.04", "opensuse-leap 15.5", "centos 7.9.2009"]))
    assert not any(map(is_plain_system, [*LINKS, *FAR_OFF]))
    assert all(map(is_plain_file, ["install.sh", "setup-2.py", "evil.com"]))
    assert not any(map(is_plain_file, FAR_OFF))
