from __future__ import annotations

import base64
import string
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.updates.minisign import SignatureError, parse_keys, verify
from tests.agent.updates.signing import Minisign, Vendor, feed

ALPHABET = f"{string.ascii_uppercase}{string.ascii_lowercase}{string.digits}+/"
VENDOR, OTHER = Vendor(), Vendor(b"somebody")
SIGNATURE = VENDOR.sign(feed())
HEAD = len("untrusted comment: ")
FIRST_LINE = SIGNATURE.index("\n")


@pytest.mark.needs("minisign")
@pytest.mark.parametrize("legacy", [False, True])
def test_what_debians_minisign_signs_is_verified(tmp_path: Path, legacy: bool) -> None:
    minisign = Minisign(tmp_path / "keys")
    signature = minisign.sign(feed(), legacy=legacy)
    key = verify(feed(), signature, parse_keys(minisign.public))
    assert f"key {key.name}" in (tmp_path / "keys/key.pub").read_text()
    with pytest.raises(SignatureError, match="does not match"):
        verify(feed(sequence=8), signature, parse_keys(minisign.public))


@pytest.mark.needs("minisign")
@pytest.mark.parametrize("legacy", [False, True])
def test_debians_minisign_verifies_what_is_taken_here(tmp_path: Path, legacy: bool) -> None:
    path = VENDOR.publish(tmp_path, feed())
    Path(f"{path}.minisig").write_text(VENDOR.sign(feed(), legacy=legacy))
    argv = ["minisign", "-V", "-P", VENDOR.public, "-m", str(path)]
    assert subprocess.run(argv, capture_output=True, check=False).returncode == 0
    path.write_bytes(feed(sequence=8))
    assert subprocess.run(argv, capture_output=True, check=False).returncode != 0


def test_either_of_two_keys_may_sign_and_a_third_may_not() -> None:
    keys = parse_keys(f"{VENDOR.public}, {OTHER.public}")
    assert verify(feed(), VENDOR.sign(feed()), keys) == keys[0]
    assert verify(feed(), OTHER.sign(feed()), keys) == keys[1]
    with pytest.raises(SignatureError, match="is signed by key"):
        verify(feed(), Vendor(b"stranger").sign(feed()), keys)
    with pytest.raises(SignatureError, match="does not match"):
        verify(feed(), Vendor(VENDOR.id).sign(feed()), keys)
    with pytest.raises(ValueError, match="RW"):
        parse_keys(" ".join([VENDOR.public] * 3))


@given(st.integers(0, len(feed()) - 1), st.integers(1, 255))
def test_a_feed_with_any_byte_changed_is_refused(place: int, by: int) -> None:
    data = bytearray(feed())
    data[place] ^= by
    with pytest.raises(SignatureError):
        verify(bytes(data), SIGNATURE, parse_keys(VENDOR.public))


@given(st.integers(0, len(SIGNATURE) - 2), st.integers(1, 127))
def test_a_signature_with_any_byte_changed_is_refused_but_in_the_comment_that_is_not_signed(
    place: int, by: int
) -> None:
    data = bytearray(SIGNATURE.encode())
    data[place] ^= by
    if HEAD <= place < FIRST_LINE and data[place] != ord("\n"):
        assert verify(feed(), data.decode(), parse_keys(VENDOR.public)).id == VENDOR.id
    else:
        with pytest.raises(SignatureError):
            verify(feed(), data.decode(), parse_keys(VENDOR.public))


@given(st.integers(0, len(SIGNATURE) - 2))
def test_a_signature_that_was_cut_is_refused(length: int) -> None:
    with pytest.raises(SignatureError):
        verify(feed(), SIGNATURE[:length], parse_keys(VENDOR.public))


@given(st.text())
def test_no_text_is_worse_than_a_refused_signature(text: str) -> None:
    with pytest.raises(SignatureError):
        verify(feed(), text, parse_keys(VENDOR.public))


@pytest.mark.parametrize(("line", "spare"), [(1, 2), (3, 4)])
def test_base64_that_is_written_otherwise_is_refused(line: int, spare: int) -> None:
    """The last sign before the padding has bits that stand for nothing, so one meaning has many spellings."""
    vendor, data = Vendor(), feed()
    lines = vendor.sign(data).split("\n")
    stem = lines[line].rstrip("=")
    ending = lines[line][len(stem) :]
    written = ALPHABET.index(stem[-1])
    for bits in range(2**spare):
        spelled = stem[:-1] + ALPHABET[written | bits] + ending
        assert base64.b64decode(spelled) == base64.b64decode(lines[line])
        text = "\n".join([*lines[:line], spelled, *lines[line + 1 :]])
        if bits == 0:
            assert verify(data, text, parse_keys(vendor.public)).id == vendor.id
        else:
            with pytest.raises(SignatureError, match="not one of minisign"):
                verify(data, text, parse_keys(vendor.public))
