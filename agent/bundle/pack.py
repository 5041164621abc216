"""The plain bundle: a tar of redacted texts, with a report on what is in it as its first file."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.bundle.collect import Piece

REPORT = "REPORT.txt"


def report(pieces: Iterable[Piece], counts: Mapping[str, int]) -> str:
    """Which files, how large, what was cut, and what was replaced how often."""
    lines = ["Files:"]
    for piece in pieces:
        note = f"  ({piece.note})" if piece.note else ""
        lines.append(f"{len(piece.text.encode()):>10} bytes  {piece.name}{note}")
    lines += ["Replaced:", *(f"{count:>10} times  {name}" for name, count in sorted(counts.items()) if count)]
    if not any(counts.values()):
        lines.append("   nothing")
    return "\n".join(lines) + "\n"


def make_tar(pieces: Iterable[Piece], report_text: str, now: float) -> bytes:
    """The tar, of plain files alone; only their names, sizes and this moment are in its headers."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, text in [(REPORT, report_text), *((piece.name, piece.text) for piece in pieces)]:
            data = text.encode()
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(data), int(now), 0o600
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()
