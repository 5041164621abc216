"""What opens the way to the endpoint: write key, proxy, certificates. For those who send.

Read before a sender acts as the state directory's owner, who may not be able to read the files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.base.files import read_small
from agent.config.settings import SettingError, parse_proxy, write_key

if TYPE_CHECKING:
    from agent.config.settings import Settings

MAX_PROXY_FILE = 4096


class Access(NamedTuple):
    """Each is empty where it is not set."""

    key: str = ""
    proxy: str = ""
    """A URL, perhaps with a user and a password."""
    ca_file: str = ""


def read_access(settings: Settings) -> Access:
    """What the settings and the files that they name say. SettingError for a file that is of no use."""
    return Access(write_key(settings), _proxy_url(settings), settings.ca_file)


def _proxy_url(settings: Settings) -> str:
    if not settings.proxy.startswith("/"):
        return settings.proxy
    try:
        url = parse_proxy(read_small(settings.proxy, MAX_PROXY_FILE).decode("ascii").strip())
    except (OSError, ValueError):
        url = ""
    if not url or url.startswith("/"):
        source = settings.sources.get("ROLLCALL_PROXY", "the default")
        accepted = (
            "the path of a file that has only the proxy's URL in it, and that the sending user can read"
        )
        raise SettingError("ROLLCALL_PROXY", source, accepted)
    return url
