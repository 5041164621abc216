"""What opens the way to the endpoint: write key, proxy, certificates. For those who send.

Read before a sender acts as the state directory's owner, who may not be able to read the files. Part of the
boot path of `wrap`: imports stay few and cheap.
"""

from __future__ import annotations

from agent.base.files import read_small
from agent.config.settings import SettingError, file_error
from agent.config.values import parse_key, parse_proxy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.config.settings import Settings

MAX_BYTES = 4096


class Access:
    """Each is empty where it is not set."""

    __slots__ = ("ca_file", "key", "proxy")

    def __init__(self, key: str = "", proxy: str = "", ca_file: str = "") -> None:
        self.key = key
        self.proxy = proxy  # a URL, perhaps with a user and a password
        self.ca_file = ca_file


def read_access(settings: Settings) -> Access:
    """What the settings and the files that they name say. SettingError for a file that is of no use."""
    return Access(_write_key(settings), _proxy_url(settings), settings.ca_file)


def _write_key(settings: Settings) -> str:
    """The setting itself, else what its file says."""
    if settings.write_key or not settings.write_key_file:
        return settings.write_key
    key = _content(settings.write_key_file, parse_key)
    if not key:
        accepted = "the path of a file that has only the key in it, and that the sending user can read"
        raise file_error("ROLLCALL_WRITE_KEY_FILE", settings, accepted)
    return key


def access_problem(settings: Settings) -> str | None:
    """Why this caller can send nothing with these settings; None if nothing is known to be wrong."""
    try:
        read_access(settings)
    except SettingError as why:
        return str(why)
    return None


def _proxy_url(settings: Settings) -> str:
    if not settings.proxy.startswith("/"):
        return settings.proxy
    url = _content(settings.proxy, parse_proxy)
    if not url or url.startswith("/"):
        accepted = (
            "the path of a file that has only the proxy's URL in it, and that the sending user can read"
        )
        raise file_error("ROLLCALL_PROXY", settings, accepted)
    return url


def _content(path: str, parse: Callable[[str], str]) -> str:
    """The one value that the file holds; empty if there is none."""
    try:
        return parse(read_small(path, MAX_BYTES).decode("ascii").strip())
    except (OSError, ValueError):
        return ""
