"""What systemd copied for the service, which may not read the files themselves."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

DIRECTORY = "CREDENTIALS_DIRECTORY"

ENV_FILES = (("docker.env", "ROLLCALL_CREDENTIAL_SOURCE"), ("system.env", "ROLLCALL_SYSTEM_SOURCE"))
"""Each copy of a docker.env, and the variable that says of which file: the one that settings come
from, and the machine's own, which is another one only where a drop-in says so."""
STAND_IN = "DOCKER_ENV_COULD_NOT_BE_READ_DISABLE_TELEMETRY"
"""The flag that the unit gives in place of a docker.env that systemd could not read."""
WRITE_KEY = ("write-key", "ROLLCALL_WRITE_KEY_SOURCE")
"""The same for the write key."""


def env_files(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """The copies of a docker.env that systemd was told to make, each with the file that it is of."""
    return _told(environ, ENV_FILES)


def copies(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """All copies, that of the write key too."""
    return _told(environ, (*ENV_FILES, WRITE_KEY))


def _told(environ: Mapping[str, str], kinds: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    directory = environ.get(DIRECTORY)
    if not directory:
        return []
    pairs = [(os.path.join(directory, name), environ.get(source)) for name, source in kinds]
    return [(copy, source) for copy, source in pairs if source]


def write_key_file(environ: Mapping[str, str]) -> str | None:
    """The copy of the write key, if there is one; an empty line is the unit's stand-in for none.

    Another program's service may have a credential of this name too; ours says of which files it has copies.
    """
    directory = environ.get(DIRECTORY)
    if not directory or not any(environ.get(source) for _, source in ENV_FILES):
        return None
    path = os.path.join(directory, WRITE_KEY[0])
    try:
        return path if os.stat(path).st_size > 1 else None
    except OSError:
        return None


def edited_since(copy: str, source: str) -> bool:
    """Whether `source` changed after systemd copied it: an edit between the copy and our start.

    A change in the future is a clock that was set back, and says nothing.
    """
    try:
        return os.stat(copy).st_mtime < os.stat(source).st_ctime < time.time()
    except OSError:
        return False
