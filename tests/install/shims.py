"""Programs that stand in the way of install.sh's own, and count its steps."""

import os
from pathlib import Path

# The programs by which install.sh changes anything, or which stand between two changes.
PROGRAMS = (
    *("mkdir", "mktemp", "chmod", "chown", "dd", "sed", "mv", "rm", "ln", "sync", "cksum", "readlink"),
    *("dirname", "systemctl", "systemd-sysusers"),
)
HEAD = """#!/bin/sh
count=$(($(/bin/cat "{folder}/count") + 1))
echo "$count" >"{folder}/count"
"""
END = """
if [ "$END_AT" = "$count" ] || [ "$END_AT" = {program} ]; then
    kill -s "$END_BY" 0
    /bin/sleep 5
fi
"""
TELL = """
echo "{program}" >"{folder}/step"
read -r _ <"{folder}/go"
"""
GO_ON = """
exec /usr/bin/{program} "$@"
"""


def laid(folder: Path, deed: str, *, inside: str = "") -> None:
    """Put a stand-in for each program into a folder, which then comes first in PATH.

    The folder has another name inside a machine.
    """
    for program in PROGRAMS:
        shim = folder / program
        shim.write_text((HEAD + deed + GO_ON).format(folder=inside or folder, program=program))
        shim.chmod(0o755)
    for name in ("step", "go"):
        os.mkfifo(folder / name)
        (folder / name).chmod(0o666)
    reset(folder)


def reset(folder: Path) -> None:
    (folder / "count").write_text("0\n")
    (folder / "count").chmod(0o666)


def steps(folder: Path) -> int:
    return int((folder / "count").read_text())
