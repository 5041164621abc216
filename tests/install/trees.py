"""A directory tree as data, to compare before and after."""

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

MAX_BYTES = 64 * 1024  # of a file that is read; a larger one is told by size and time

# The system's own tools rewrite these as they like; none of it is ours to put back.
NOT_OURS = {
    "/etc/passwd-",
    "/etc/shadow-",
    "/etc/group-",
    "/etc/gshadow-",
    "/etc/.pwd.lock",
    "/etc/.updated",
    "/var/lib/systemd",
    "/var/lib/private",
}


def tree(base: Path, root: str, *, whole: bool = True) -> dict[str, str]:
    """Every path below root with its mode and contents; base is where the machine's / is seen.

    If not whole, only what bears our name is looked into, and all else just named.
    """
    found: dict[str, str] = {}
    for folder, folders, files in os.walk(f"{base}{root}"):
        inside = folder.removeprefix(str(base))
        names = [name for name in [*folders, *files] if f"{inside}/{name}" not in NOT_OURS]
        for name in names:
            with suppress(FileNotFoundError):  # a service at work, whose journals come and go
                found[f"{inside}/{name}"] = described(f"{folder}/{name}")
        folders[:] = [
            name for name in folders if name in names and (whole or "/rollcall" in f"{inside}/{name}")
        ]
    return found


def described(path: str) -> str:
    about = os.lstat(path)
    mode = f"{stat.filemode(about.st_mode)} {about.st_uid}"
    if stat.S_ISLNK(about.st_mode):
        return f"link {os.readlink(path)}"
    if stat.S_ISREG(about.st_mode) and about.st_size > MAX_BYTES:
        return f"{mode} {about.st_size} bytes of {about.st_mtime_ns}"
    if stat.S_ISREG(about.st_mode):
        return f"{mode} {hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]}"
    return mode
