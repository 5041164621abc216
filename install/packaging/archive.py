"""Pack a directory as FILE.tar.gz: archive.py DIRECTORY FILE.

Everything in it belongs to root: a docker.env that came out as somebody else's would not be heeded.
"""

import sys
import tarfile
from pathlib import Path


def as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode = 0o755 if member.mode & 0o100 else 0o644
    return member


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    with tarfile.open(sys.argv[2], "w:gz") as archive:
        archive.add(directory, directory.name, filter=as_root)
