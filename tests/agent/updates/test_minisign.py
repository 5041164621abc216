"""Signatures: Debian's minisign and ours, both ways, and whatever was changed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.updates.minisign import NotSigned, parse_public_key, verify
from tests.agent.updates.vendor import Vendor, feed_bytes

VENDOR = Vendor()
VENDOR_KEY = parse_public_key(VENDOR.public)
DATA = feed_bytes()
SIGNED = {hashed: VENDOR.sign(DATA, hashed=hashed) for hashed in (False, True)}


def minisign(*words: str) -> None:
    subprocess.run(["minisign", *words], capture_output=True, timeout=60, check=True)


@pytest.mark.needs("minisign")
@pytest.mark.parametrize("legacy", [False, True])
def test_minisign_and_we_agree(tmp_path: Path, legacy: bool) -> None:
    """It makes what ours takes."""
    secret, public, feed = tmp_path / "s", tmp_path / "p", tmp_path / "feed.json"
    feed.write_bytes(DATA)
    minisign("-G", "-W", "-p", str(public), "-s", str(secret))
    minisign("-S", "-s", str(secret), "-m", str(feed), *["-l"] * legacy)
    key = parse_public_key(public.read_text().splitlines()[1])
    signature = Path(f"{feed}.minisig").read_bytes()
    assert verify(DATA, signature, [VENDOR_KEY, key]) == key
    assert key.name in public.read_text()
    with pytest.raises(NotSigned, match="another key"):
        verify(DATA, signature, [VENDOR_KEY])


@pytest.mark.needs("minisign")
@pytest.mark.parametrize("hashed", [False, True])
def test_minisign_takes_what_ours_takes(tmp_path: Path, hashed: bool) -> None:
    """The vendor of these tests signs as minisign does; else they would show nothing."""
    feed = tmp_path / "feed.json"
    feed.write_bytes(DATA)
    (tmp_path / "feed.json.minisig").write_bytes(SIGNED[hashed])
    minisign("-V", "-P", VENDOR.public, "-m", str(feed))
    feed.write_bytes(DATA + b" ")
    with pytest.raises(subprocess.CalledProcessError):
        minisign("-V", "-P", VENDOR.public, "-m", str(feed))


@given(st.data(), st.booleans(), st.integers(1, 255))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_changed_byte_anywhere_is_refused(draw: st.DataObject, hashed: bool, change: int) -> None:
    signature = SIGNED[hashed]
    assert verify(DATA, signature, [VENDOR_KEY]) == VENDOR_KEY
    place = draw.draw(st.integers(0, len(DATA) - 1))
    with pytest.raises(NotSigned):
        verify(flipped(DATA, place, change), signature, [VENDOR_KEY])
    signs = [n for n in range(len(signature)) if meant(signature, n)]
    other = flipped(signature, draw.draw(st.sampled_from(signs)), change)
    with pytest.raises(NotSigned):
        verify(DATA, other, [VENDOR_KEY])


def meant(signature: bytes, place: int) -> bool:
    """Whether a byte of a signature is signed: the first line's comment and the ends of lines are not."""
    return place > signature.index(b"\n") and signature[place : place + 1] not in (b"\n", b"=")


def flipped(data: bytes, place: int, change: int) -> bytes:
    return data[:place] + bytes([data[place] ^ change]) + data[place + 1 :]


@pytest.mark.parametrize("cut", range(0, len(SIGNED[True]) - 1, 7))
def test_a_cut_signature_is_refused(cut: int) -> None:
    with pytest.raises(NotSigned):
        verify(DATA, SIGNED[True][:cut], [VENDOR_KEY])


def test_signatures_of_other_files_and_kinds_are_refused() -> None:
    for other in (
        VENDOR.sign(b"x"),
        Vendor().sign(DATA),
        b"",
        b"\xff",
        SIGNED[True].replace(b"\nRU", b"\nRX"),
    ):
        with pytest.raises(NotSigned):
            verify(DATA, other, [VENDOR_KEY])


def test_only_a_public_key_is_one() -> None:
    for text in ("x", VENDOR.public[:-4], "A" + VENDOR.public[1:], "RW" + "A" * 55):
        with pytest.raises(ValueError, match=re.escape(text)):
            parse_public_key(text)


def test_without_the_library_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(NotSigned, match="the extra `sealed`"):
        verify(DATA, SIGNED[True], [VENDOR_KEY])
