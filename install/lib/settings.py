"""Write settings to a docker.env, with the agent's own Python: settings.py FILE NAME=VALUE...

No secret is among them: a write key has a file of its own.
"""

import os
import sys

from agent.base.messages import print_message
from agent.config.envedit import EditError, set_value
from agent.config.envfile import read_env_file
from agent.config.settings import NAMES, SETTINGS


def quoted(value: str) -> str:
    """The value as it stands in docker.env, without an escape, which install.sh could not read.

    Nor is install.sh certain of a value that begins with another letter than those of ASCII, without quotes.
    """
    if value and value.isascii() and not set(value) & set("#'\"\\") and value == value.strip():
        return value
    for quote in "'\"":
        if quote not in value and "\\" not in value:
            return quote + value + quote
    raise ValueError


def main(argv: list[str]) -> int:
    path, pairs = argv[0], [word.partition("=") for word in argv[1:]]
    accepted = {setting.name: setting for setting in SETTINGS}
    for name, _, value in pairs:
        try:
            accepted[name].parse(value)
            quoted(value)
        except ValueError:
            print_message(
                f"{name} is not valid: it takes {accepted[name].accepted},"
                " without a backslash, and with one kind of quotes at most",
                sys.stderr,
            )
            return 2
    file = read_env_file(path, NAMES, uid=os.geteuid())
    if file is not None and not file.trusted:
        print_message(
            f"{path} can be changed by other users, so its settings would not be used: "
            f"chown it to {os.geteuid()}, and chmod go-w",
            sys.stderr,
        )
        return 1
    try:
        for name, _, value in pairs:
            there = file.settings.get(name) if file else None
            if there is None or there.value != value:
                set_value(path, name, quoted(value))
    except EditError as why:
        print_message(str(why), sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
