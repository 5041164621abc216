"""Open a sealed support bundle on the machine of whoever holds the key. A bundle is a stranger's file."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

from collector.admin import AdminError
from collector.base.sealed import ALGORITHM, ENCRYPTION, thumbprint_in

HEADER = {"alg", "enc", "kid", "epk"}
MAX_PLAIN = 20 * 1024 * 1024
MAX_FILES = 2000
LONGEST_PART = 255  # bytes of a file's name
MAX_KEY = 4096
MAX_TOKEN = 1000


def open_bundle(sealed: str, key: str, folder: str) -> list[str]:
    """Open and unpack it into a new folder; the files, by name. AdminError, and no folder, if it is odd."""
    try:
        from jwcrypto.common import JWException
    except ModuleNotFoundError:
        raise AdminError("jwcrypto is missing; run: pip install 'rollcall-telemetry[sealed]'") from None
    try:
        files = _unpacked(_opened(sealed, key))
    except (JWException, TypeError, ValueError) as error:  # TypeError: it is a JWE for several, in JSON
        kind = type(error).__name__
        raise AdminError(
            f"the bundle cannot be opened with this key: it is sealed for another one, or changed ({kind})"
        ) from None
    except tarfile.TarError:
        raise AdminError("the sealed file does not hold a bundle; it must be a tar archive") from None
    _write(Path(folder), files)
    return [str(name) for name in files]


def thumbprint_of(sealed: str) -> str:
    """The thumbprint of the key that opens it, as its header says."""
    found = thumbprint_in(sealed.encode())
    if found is None:
        raise AdminError("the file is not a sealed bundle, which is a JWE in compact form; fetch it again")
    return found


def read_text(path: str, at_most: int) -> str:
    """A file of ASCII text that is not larger."""
    with open(path, "rb") as file:
        data = file.read(at_most + 1)
    if len(data) > at_most or not data.isascii():
        raise AdminError(f"{path} is not what it should be: more than {at_most} bytes, or not ASCII")
    return data.decode().strip()


def _opened(sealed: str, key: str) -> bytes:
    """The plain bytes. Other algorithms, curves and headers than our own are refused."""
    from jwcrypto import jwe, jwk

    private: dict[str, Any] = jwk.JWK.from_json(key).export(as_dict=True)
    if private.get("crv") != "X25519" or "d" not in private:
        raise AdminError("the key must be a private X25519 key, as a JWK")
    bundle = jwe.JWE(algs=[ALGORITHM, ENCRYPTION])
    bundle.deserialize(sealed)
    if not set(bundle.jose_header) <= HEADER:
        raise AdminError("the bundle has a header that no bundle has")
    bundle.decrypt(jwk.JWK(**private))
    plain: bytes = bundle.payload
    return plain


def _unpacked(plain: bytes) -> dict[Path, bytes]:
    """The files of the tar, once all of them are seen to be plain files below its top."""
    files: dict[Path, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
        for member in tar:
            name = Path(member.name)
            if not member.isreg() or member.issparse():
                raise AdminError(f"the bundle is refused: it holds more than plain files, {member.name!r}")
            if name.is_absolute() or ".." in name.parts or not name.parts or not member.name.isprintable():
                raise AdminError(f"the bundle holds a file that would leave the folder: {member.name!r}")
            if name in files or len(files) >= MAX_FILES or member.size > MAX_PLAIN:
                raise AdminError("the bundle holds a file twice, or more than a bundle may hold")
            file = tar.extractfile(member)
            files[name] = file.read() if file else b""
    folders = {folder for name in files for folder in name.parents}
    # The list asked for the folder as if it were a file; the report says that there is none.
    files = {name: data for name, data in files.items() if data or name not in folders}
    for name in files:
        if name in folders or any(len(os.fsencode(part)) > LONGEST_PART for part in name.parts):
            raise AdminError(f"the bundle holds a file that cannot be beside the others: {str(name)!r}")
    return files


def _write(folder: Path, files: dict[Path, bytes]) -> None:
    """Write the files into a folder that was not there."""
    folder.mkdir(mode=0o700)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(handle, "wb") as file:
            file.write(data)
