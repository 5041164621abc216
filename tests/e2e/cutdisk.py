"""Disks for a virtual machine that lose what was not flushed when the power goes.

QEMU also logs each write and flush of the guest. After a cut the disk is what it was before the boot, with
every write that a flush has covered, and with any choice of the later ones: a real cache writes in any order.
"""

import json
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

DISK_BYTES = 1 << 30  # sparse
SECTOR = 512
# The log: a head, then for each write an entry and its data, in whole sectors.
HEAD = struct.Struct("<QQQ")
ENTRY = struct.Struct("<QQQQ")


@dataclass(frozen=True)
class Write:
    """One write of the guest."""

    at: int
    data: bytes


class CutDisk:
    """A disk with ext4, in a folder of its own."""

    def __init__(self, folder: Path, contents: Path) -> None:
        """The contents are a folder's; their owners and modes are kept."""
        folder.mkdir()
        self._kept, self._live, self._log = folder / "kept", folder / "live", folder / "log"
        make_ext4(self._kept, contents)

    def plug_in(self, name: str) -> list[str]:
        """QEMU's options for this disk; whatever it held is as the last cut left it."""
        subprocess.run(["cp", "--sparse=always", self._kept, self._live], check=True)
        self._log.write_bytes(b"")
        # The power of this machine stays on: flushing its own disk would only take time.
        files = (
            {"driver": "file", "filename": str(path), "cache": {"no-flush": True}}
            for path in (self._live, self._log)
        )
        node = {"driver": "blklogwrites", "node-name": name} | dict(zip(("file", "log"), files, strict=True))
        device = f"virtio-blk-pci,drive={name},discard=off,write-zeroes=off"
        return ["-blockdev", json.dumps(node), "-device", device]

    def cut(self, survives: Callable[[], bool]) -> None:
        """Lose what was not flushed, except for the writes that survive by chance."""
        flushed, later = self._writes()
        with self._kept.open("r+b") as disk:
            for write in [*flushed, *(write for write in later if survives())]:
                disk.seek(write.at)
                disk.write(write.data)

    def _writes(self) -> tuple[list[Write], list[Write]]:
        """The writes that a flush has covered, and the later ones."""
        with self._log.open("rb") as log:
            head = log.read(SECTOR)  # written at each flush
            count = HEAD.unpack_from(head)[2] if head else 0
            writes = list(_entries(log))
        return writes[:count], writes[count:]


def make_ext4(image: Path, contents: Path) -> None:
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    at_once = "lazy_itable_init=0,lazy_journal_init=0"  # nothing is left for the guest to write
    subprocess.run(["mkfs.ext4", "-q", "-F", "-E", at_once, "-d", contents, image], check=True)


def _entries(log: BinaryIO) -> Iterator[Write]:
    while len(entry := log.read(SECTOR)) == SECTOR:
        sector, sectors, _, _ = ENTRY.unpack_from(entry)
        data = log.read(sectors * SECTOR)
        if len(data) < sectors * SECTOR:
            return  # QEMU was killed at it
        yield Write(sector * SECTOR, data)
