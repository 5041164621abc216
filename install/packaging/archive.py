"""Pack a directory as FILE.tar.gz: archive.py DIRECTORY FILE.

Everything in it belongs to root: a docker.env that came out as somebody else's would not be heeded.
The same contents make the same bytes: every time in it is SOURCE_DATE_EPOCH.
"""

import gzip
import os
import sys
import tarfile
from pathlib import Path

EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))


def as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mtime = EPOCH
    member.mode = 0o755 if member.mode & 0o100 else 0o644
    return member


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    with (
        open(sys.argv[2], "wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=EPOCH) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        archive.add(directory, directory.name, filter=as_root)
