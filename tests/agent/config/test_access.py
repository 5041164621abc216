"""The write key, the proxy and the certificates, as a sender gets them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.config import settings
from agent.config.access import read_access
from agent.config.settings import SettingError
from tests.parts import NOBODY

SECRET = "http://user:secret@proxy.example:3128"


def load(**environ: str) -> settings.Settings:
    return settings.load({f"ROLLCALL_{name}": value for name, value in environ.items()}, [])


def test_nothing_is_set_by_default() -> None:
    found = read_access(load())
    assert (found.key, found.proxy, found.ca_file) == ("", "", "")


@pytest.mark.parametrize(
    "proxy",
    ["http://proxy.example", "https://proxy:3128", "http://[::1]:3128/", SECRET, "http://user@proxy:1"],
)
def test_a_proxy_is_an_url(proxy: str) -> None:
    assert read_access(load(PROXY=proxy)).proxy == proxy


@pytest.mark.parametrize(
    "proxy",
    [
        "proxy:3128",
        "socks5://secret:1",
        "socks5h://user:secret@h:1",
        "http://h/secret",
        "http://h:1/secret",
        "http://us er:secret@h",
        "http://us/er:secret@h",
        "http://a@b@h",
        "http://user:[secret@h",
        "http://user:secret]@h",
        "http://user:secr\u00e9t@h",
        "http://user:secret@",
        "ftp://h",
        "http://h?secret",
    ],
)
def test_what_is_no_proxy_is_refused_and_not_repeated(proxy: str) -> None:
    with pytest.raises(SettingError, match="SOCKS is not supported") as refused:
        load(PROXY=proxy)
    assert "secret" not in str(refused.value)


def test_a_proxy_with_a_password_may_stand_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "proxy"
    path.write_text(SECRET + "\n")
    assert read_access(load(PROXY=str(path))).proxy == SECRET


@pytest.mark.parametrize("text", [None, "", "socks5://secret:1", "/etc/passwd", "\xff", "x" * 5000])
def test_a_file_without_a_proxy_in_it_is_an_error_for_those_who_send(
    tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "proxy"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    found = load(PROXY=str(path))
    with pytest.raises(SettingError, match=r"ROLLCALL_PROXY .the environment. is not valid") as refused:
        read_access(found)
    assert "secret" not in str(refused.value)


def test_the_write_key_is_the_setting_or_the_file_that_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("  abc123\n")
    assert read_access(load(WRITE_KEY_FILE=str(path))).key == "abc123"
    assert read_access(load(WRITE_KEY="direct", WRITE_KEY_FILE=str(path / "not there"))).key == "direct"
    assert read_access(load()).key == ""


@pytest.mark.parametrize("data", [b"", b"\n", b"a b", b"root:x:0:0\n", b"a\nb\n", b"\xff", b"x" * 5000])
def test_a_key_file_with_something_else_in_it_is_refused_without_a_word_of_it(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    with pytest.raises(SettingError, match="a file that has only the key in it") as caught:
        read_access(load(WRITE_KEY_FILE=str(path)))
    assert "root:x" not in str(caught.value)


@pytest.mark.needs("user")
def test_a_key_file_that_only_the_service_may_read_is_no_error_until_it_is_needed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    os.seteuid(NOBODY)
    try:
        found = load(WRITE_KEY_FILE=str(tmp_path / "key"))
        with pytest.raises(SettingError):
            read_access(found)
    finally:
        os.seteuid(0)
