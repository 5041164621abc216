"""A sealed bundle is opened whole, or not at all."""

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from jwcrypto import jwe, jwk

from agent.bundle.collect import Piece
from agent.bundle.pack import make_tar
from collector.admin import AdminError
from collector.admin.bundles import open_bundle
from tests.wait import PATIENCE

KEY = jwk.JWK.generate(kty="OKP", crv="X25519")
PRIVATE = KEY.export_private()


def sealed(data: bytes, key: jwk.JWK = KEY, **header: str) -> str:
    head = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": key.thumbprint(), **header}
    made = jwe.JWE(data, protected=json.dumps(head), recipient=key)
    text: str = made.serialize(compact=True)
    return text


def tar(*members: tarfile.TarInfo | str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as made:
        for member in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            if info.isreg():
                info.size = 4
            made.addfile(info, io.BytesIO(b"text") if info.isreg() else None)
    return packed.getvalue()


def special(name: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def test_a_bundle_is_unpacked_for_its_reader_only(tmp_path: Path) -> None:
    folder = tmp_path / "opened"
    assert open_bundle(sealed(tar("a", "b/c")), PRIVATE, str(folder)) == ["a", "b/c"]
    assert (folder / "b/c").read_text() == "text"
    modes = {path.stat().st_mode & 0o777 for path in (folder, folder / "b")}
    assert (modes, (folder / "a").stat().st_mode & 0o777) == ({0o700}, 0o600)


def test_an_empty_file_gives_way_to_the_folder_of_its_name(tmp_path: Path) -> None:
    """As where the list names a folder, of which nothing is taken, and a file in it."""
    absent = Piece("files/etc/acme", "", "no such file"), Piece("files/etc/acme/a.conf", "", "no such file")
    found = Piece("files/etc/shop", "", "no such file"), Piece("files/etc/shop/b.conf", "b\n")
    packed = make_tar([*absent, *found], "report\n", 0.0)
    names = ["REPORT.txt", "files/etc/acme/a.conf", "files/etc/shop/b.conf"]
    assert open_bundle(sealed(packed), PRIVATE, str(tmp_path / "opened")) == names
    assert (tmp_path / "opened/files/etc/shop/b.conf").read_text() == "b\n"


HOSTILE = [
    ("/etc/x", "leave the folder"),
    ("../x", "leave the folder"),
    ("a/../../x", "leave the folder"),
    ("a\x1b[2J", "leave the folder"),
    (special("link", tarfile.SYMTYPE), "more than plain files"),
    (special("hard", tarfile.LNKTYPE), "more than plain files"),
    (special("device", tarfile.CHRTYPE), "more than plain files"),
    (special("pipe", tarfile.FIFOTYPE), "more than plain files"),
    ("a", "twice"),
    ("a/b", "beside the others: 'a'"),
    ("b" * 256, "beside the others"),
]


@pytest.mark.parametrize(("member", "words"), HOSTILE)
def test_of_a_hostile_bundle_nothing_is_written(
    tmp_path: Path, member: tarfile.TarInfo | str, words: str
) -> None:
    with pytest.raises(AdminError, match=words):
        open_bundle(sealed(tar("a", member)), PRIVATE, str(tmp_path / "opened"))
    assert list(tmp_path.iterdir()) == []


def test_what_is_changed_cut_or_for_another_key_is_refused(tmp_path: Path) -> None:
    whole = sealed(tar("a"))
    head, wrapped, iv, text, tag = whole.split(".")
    other = jwk.JWK.generate(kty="OKP", crv="X25519")
    cases = [
        (whole[:-8], PRIVATE),
        (".".join([head, wrapped, iv, text[4:], tag]), PRIVATE),
        (".".join([head, wrapped, iv, text[4:8] + text[:4] + text[8:], tag]), PRIVATE),
        (".".join([*sealed(tar("b")).split(".")[:2], iv, text, tag]), PRIVATE),
        (whole, other.export_private()),
        ("", PRIVATE),
        (whole, "no key"),
    ]
    parts = {"protected": head, "iv": iv, "ciphertext": text, "tag": tag}
    cases.append((json.dumps({**parts, "recipients": [{"encrypted_key": wrapped}] * 2}), PRIVATE))
    for bundle, key in cases:
        with pytest.raises(AdminError, match="cannot be opened with this key"):
            open_bundle(bundle, key, str(tmp_path / "opened"))
    assert list(tmp_path.iterdir()) == []
    open_bundle(whole, PRIVATE, str(tmp_path / "opened"))


def test_weaker_algorithms_curves_and_odd_headers_are_refused(tmp_path: Path) -> None:
    curve = jwk.JWK.generate(kty="EC", crv="P-256")
    cases = [
        (sealed(tar("a"), enc="A128GCM"), PRIVATE),
        (sealed(tar("a"), alg="ECDH-ES+A128KW"), PRIVATE),
        (sealed(tar("a"), zip="DEF"), PRIVATE),
        (sealed(tar("a"), curve), curve.export_private()),
        (sealed(tar("a")), KEY.export_public()),
        (sealed(b"no tar"), PRIVATE),
    ]
    for bundle, key in cases:
        with pytest.raises(AdminError):
            open_bundle(bundle, key, str(tmp_path / "opened"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone_and_no_database_is_made(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(PRIVATE)
    (tmp_path / "bundle").write_text(sealed(tar("a")))

    def run(name: str = "bundle") -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "collector", "bundles", "open", name, "--key", "key", "-o", "opened"]
        return subprocess.run(
            argv, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE
        )

    done = run()
    assert (done.returncode, done.stdout) == (0, "a\n"), done.stderr
    again = run()
    assert (again.returncode, "File exists" in again.stderr) == (1, True)
    assert "no.jwe is neither a file nor a bundle's id" in run("no.jwe").stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "key", "opened"]
