"""Finding and reading docker.env. It may hold other people's secrets: only our names are kept.

Part of the boot path of `wrap`: python-dotenv, which is slow to import, is imported only once
a file has been found.
"""

from __future__ import annotations

import errno
import os

from agent.base.files import TooLargeError, read_with_stat
from agent.config.flags import QUOTES, is_flag, is_garbled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from dotenv.parser import Binding

MAX_BYTES = 64 * 1024
"""A docker.env larger than this is not read, so that nobody's file delays an install; it silences."""

MAX_BLANKS = 100

NAMED = ("ROLLCALL_TOLD_ENV_FILE", "ROLLCALL_ENV_FILE")
"""The variables that name a docker.env: what `install.sh --env-file` said, and the caller's own."""

ABSENT = (errno.ENOENT, errno.ENOTDIR)


class Line:
    """One binding: name, value (None: a bare name) and the line on which it starts."""

    __slots__ = ("line", "name", "value")

    def __init__(self, name: str, value: str | None, line: int) -> None:
        self.name = name
        self.value = value
        self.line = line


class EnvFile:
    """What one docker.env says. `fault` is (rule, line) where it cannot be relied upon.

    A file that is not `trusted` may silence and do nothing else: its settings are not kept.
    """

    __slots__ = ("fault", "flags", "path", "settings", "trusted")

    def __init__(self, path: str, *, trusted: bool) -> None:
        self.path = path
        self.trusted = trusted
        self.flags: list[Line] = []
        self.settings: dict[str, Line] = {}
        self.fault: tuple[str, int | None] | None = None


def env_file_places(environ: Mapping[str, str], *, name: str, cwd: str, root: str = "/") -> list[str]:
    """Every place where a docker.env may be; each setting comes from the first that names it."""
    places = [environ[name] for name in NAMED if environ.get(name)]
    places.append("docker.env")
    copied = set()
    if directory := environ.get("CREDENTIALS_DIRECTORY"):
        from agent.config import credentials  # only a service has them

        copies = credentials.env_files(environ)
        places += [os.path.join(directory, "docker.env"), *(copy for copy, _ in copies)]
        # Only root may read the file that was copied; the daemon watches it.
        copied = {source for copy, source in copies if os.path.isfile(copy) and not os.path.isdir(source)}
    places += [place for place in (system_file(name, root), user_file(environ, name)) if place not in copied]
    return list(dict.fromkeys(os.path.normpath(os.path.join(cwd, place)) for place in places))


def system_file(name: str, root: str = "/") -> str:
    """The machine's docker.env."""
    return os.path.join(root, "etc", name, "docker.env")


def user_file(environ: Mapping[str, str], name: str) -> str:
    """The ordinary user's docker.env."""
    base = environ.get("XDG_CONFIG_HOME") or os.path.join(home(environ), ".config")
    return os.path.join(base, name, "docker.env")


def home(environ: Mapping[str, str]) -> str:
    """The caller's home directory; `/` for one who has none, as a container's made-up user may."""
    known = environ.get("HOME") or os.path.expanduser("~")
    return known if os.path.isabs(known) else "/"


def read_env_files(
    environ: Mapping[str, str],
    wanted: Container[str],
    *,
    name: str,
    cwd: str,
    uid: int,
    root: str = "/",
) -> list[EnvFile]:
    """Every docker.env that exists, in order of precedence."""
    found = []
    for path in env_file_places(environ, name=name, cwd=cwd, root=root):
        file = read_env_file(path, wanted, uid=uid)
        if file is not None:
            found.append(file)
    return found


def read_env_file(path: str, wanted: Container[str], *, uid: int) -> EnvFile | None:
    """One docker.env, or None where there is none. A file in doubt has a `fault`."""
    try:
        link = os.lstat(path)
    except OSError as why:
        return None if why.errno in ABSENT else _faulty(path, "unreadable")
    try:
        data, found = _contents(path)
    except TooLargeError:
        return _faulty(path, "too-large")
    except (OSError, ValueError):
        return _faulty(path, "unreadable")
    owners = (0, uid)
    trusted = found.st_uid in owners and link.st_uid in owners and not found.st_mode & 0o022
    file = EnvFile(path, trusted=trusted)
    if data.strip():
        _parse(file, data, wanted)
    return file


def _faulty(path: str, rule: str) -> EnvFile:
    file = EnvFile(path, trusted=False)
    file.fault = (rule, None)
    return file


def _contents(path: str) -> tuple[str, os.stat_result]:
    """The text of a regular file of sane size; ValueError for what is none."""
    data, found = read_with_stat(path, MAX_BYTES)
    text = data.decode("utf-8").removeprefix("\ufeff")
    if "\0" in text:
        raise ValueError(path)
    return text, found


def _parse(file: EnvFile, text: str, wanted: Container[str]) -> None:
    """Sort the file's bindings into flags and settings; note the first line in doubt."""
    from io import StringIO

    from dotenv.parser import parse_stream

    for binding in parse_stream(StringIO(_with_short_blanks(text), newline="")):
        line = _first_line(binding.original.string, binding.original.line)
        name = (binding.key or "").strip(QUOTES)
        if binding.error or is_garbled(name, binding.original.string):
            file.fault = file.fault or ("unparsable", line)
        elif binding.key is None:
            continue
        elif is_flag(name, value := _value(binding)):
            file.flags.append(Line(name, value, line))
        elif binding.key in wanted and value is not None and file.trusted:
            file.settings[binding.key] = Line(binding.key, value, line)


def _with_short_blanks(text: str) -> str:
    """The text with at most MAX_BLANKS blanks in a row. No flag or setting of ours becomes another by that.

    The parser's time grows with the square of their number: 64 KiB would take it most of a minute.
    """
    import re

    return re.sub(r"[^\S\r\n]+", lambda blanks: blanks[0][:MAX_BLANKS], text)


def _value(binding: Binding) -> str | None:
    """The value. The parser of Python 3.9 takes the comment after an empty one (`NAME= # why`) for it."""
    after = binding.original.string.partition("=")[2]
    return "" if after[:1].isspace() and after.lstrip().startswith("#") else binding.value


def _first_line(text: str, line: int) -> int:
    """The line of a binding's first word; the parser counts blank lines before it as its own."""
    blank = text[: len(text) - len(text.lstrip())]
    return line + blank.replace("\r\n", "\n").replace("\r", "\n").count("\n")
