"""The scripts under test, and the shells that run them."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.parts import NOBODY
from tests.wait import PATIENCE

CHECKOUT = Path(__file__).parents[2]
INSTALL = CHECKOUT / "install"
SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}


def shell(name: str) -> list[str]:
    """The command line of one of SHELLS, with its program's full path."""
    program, *words = SHELLS[name]
    found = shutil.which(program, path="/usr/bin:/bin")
    assert found, f"{name} is not here"
    return [found, *words]


def environment(home: str | os.PathLike[str], **more: str) -> dict[str, str]:
    """A bare environment, as an operator's with nothing set."""
    # SHELL, or bash asks the user database, and so nscd's socket, for it.
    bare = {"SHELL": "/bin/sh", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": os.fspath(home)}
    return {**bare, **more}


def variables() -> set[str]:
    """The names of the variables that install.sh sets, in itself and in its parts."""
    text = "".join(path.read_text() for path in [INSTALL / "install.sh", *(INSTALL / "lib").glob("*.sh")])
    return {*re.findall(r"\b([a-z_]+)=", text), *re.findall(r"\bfor ([a-z_]+)\b", text)} - {"_"}


def small_tools(folder: Path) -> Path:
    """Busybox's own tools in a folder, as a small machine has them and nothing else."""
    busybox = shutil.which("busybox")
    assert busybox
    done = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    tools = folder / "tools"
    tools.mkdir()
    for applet in done.stdout.split():
        (tools / applet).symlink_to(busybox)
    return tools


OFFLINE = ["unshare", "--net"]
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def home_of_nobody(prefix: str = "rollcall-home-") -> Path:
    """A new, empty home directory for an ordinary user."""
    place = Path(tempfile.mkdtemp(prefix=prefix))
    os.chown(place, NOBODY, NOBODY)
    return place


def run(
    *words: str | os.PathLike[str], environ: Mapping[str, str], typed: str = "", seconds: float = PATIENCE
) -> subprocess.CompletedProcess[str]:
    """Run to the end in its home directory, both outputs kept apart."""
    return subprocess.run(
        [os.fspath(word) for word in words],
        env=dict(environ),
        cwd=environ["HOME"],
        input=typed,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
