"""The scripts under test, and the shells that run them."""

import os
import shutil
from pathlib import Path

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
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": os.fspath(home), **more}
