"""What this machine holds that a bundle must not: values of variables and docker.env, names, addresses."""

from __future__ import annotations

import pwd
import socket
from io import StringIO
from typing import TYPE_CHECKING

from agent.base.files import read_small
from agent.bundle.known import Known, host_values, secret_values
from agent.config.access import read_access
from agent.config.envfile import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.config.situation import Situation

FIRST_PERSON, LAST_PERSON = 1000, 60000
"""The ids of users who are people."""


def known_here(situation: Situation, environ: Mapping[str, str]) -> list[Known]:
    """Every value that is to be replaced in bundles of this machine. OSError if a file cannot be read."""
    variables = list(environ.items())
    for file in situation.env_files:
        text = read_small(file.path, MAX_BYTES).decode("utf-8", "replace")
        variables += variables_of(text)
    access = read_access(situation.settings)
    variables += [("ROLLCALL_WRITE_KEY", access.key), ("ROLLCALL_PROXY", access.proxy)]
    return secret_values(variables) + host_values(_hostnames(), _addresses(), _users(environ))


def variables_of(text: str) -> list[tuple[str, str]]:
    """All names and values of a docker.env, as they stand there and with ${NAME} filled in.

    Of a name that stands there twice, both values: the first may be the one that was in use.
    """
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    found = [(line.key, line.value) for line in parse_stream(StringIO(text)) if line.key and line.value]
    filled = dotenv_values(stream=StringIO(text))
    return found + [(name, value) for name, value in filled.items() if value]


def _hostnames() -> list[str]:
    name = socket.gethostname()
    return [name, name.partition(".")[0]]


def _addresses() -> list[str]:
    import psutil

    families = (socket.AF_INET, socket.AF_INET6)
    return [
        address.address.partition("%")[0]
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family in families
    ]


def _users(environ: Mapping[str, str]) -> list[str]:
    people = [user.pw_name for user in pwd.getpwall() if FIRST_PERSON <= user.pw_uid <= LAST_PERSON]
    return [*people, environ.get("SUDO_USER", "")]
