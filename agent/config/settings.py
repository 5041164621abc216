"""Every setting: its name, default, meaning, and what is accepted. Docs and --help are drawn from here.

Part of the boot path of `wrap`: imports stay few and cheap.
"""

from __future__ import annotations

import os
import stat

from agent import __version__
from agent.base.files import read_small

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from agent.config.envfile import EnvFile

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST = 366 * 86400
MAX_KEY_FILE = 4096
MAX_TEXT = 100
MAX_PORT = 65535


class SettingError(Exception):
    """A setting that does not parse; its text is the one line that the reader needs."""

    def __init__(self, name: str, source: str, accepted: str) -> None:
        super().__init__(f"{name} ({source}) is not valid: it takes {accepted}")
        self.name = name
        self.source = source
        self.accepted = accepted


class Setting:
    """One row of the table. `parse` raises ValueError for what is not `accepted`."""

    __slots__ = ("accepted", "default", "meaning", "name", "parse")

    def __init__(
        self, name: str, default: str, meaning: str, accepted: str, parse: Callable[[str], object]
    ) -> None:
        self.name = name
        self.default = default
        self.meaning = meaning
        self.accepted = accepted
        self.parse = parse


def _text(value: str) -> str:
    if len(value) > MAX_TEXT or not value.isprintable():
        raise ValueError
    return value


def _path(value: str) -> str:
    if "\0" in value:
        raise ValueError
    return value and os.path.abspath(value)


def _endpoint(value: str) -> str:
    if not value:
        return ""
    scheme, _, rest = value.partition("://")
    authority, _, _ = rest.partition("/")
    plain = value.isascii() and value.isprintable() and not set(value) & set(" ?#@\\\"'<>")
    if scheme.lower() not in ("http", "https") or not plain or not _host_port(authority):
        raise ValueError
    return (scheme.lower() + "://" + rest).rstrip("/")


def _host_port(authority: str) -> bool:
    """Whether this is HOST, HOST:PORT or [IPv6]:PORT."""
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        host, port = authority, "443"
    bracketed = host.startswith("[") and host.endswith("]") and ":" in host
    bracketed = bracketed and not set(host[1:-1]) - set("0123456789abcdefABCDEF:.")
    number = port.isascii() and port.isdigit() and 0 < int(port) <= MAX_PORT
    return bool(host) and number and (bracketed or not set(host) & set(":[]"))


def _key(value: str) -> str:
    if not value.isascii() or not value.isprintable() or set(value) & {" ", ":"}:
        raise ValueError
    return value


def duration(value: str) -> float:
    """Seconds from `90`, `90s`, `15m`, `6h` or `1d`."""
    number, unit = (value[:-1], value[-1]) if value[-1:] in UNITS else (value, "s")
    if not (number.isascii() and number.isdigit()) or int(number) * UNITS[unit] > LONGEST:
        raise ValueError
    return float(int(number) * UNITS[unit])


def _interval(value: str) -> float:
    seconds = duration(value)
    if seconds < 1:
        raise ValueError
    return seconds


def _health(value: str) -> str:
    kind, _, what = value.partition(":")
    printable = value.isprintable() and " " not in value
    if kind == "tcp":
        fine = ":" in what and _host_port(what)
    elif kind in ("http", "https"):
        fine = bool(_endpoint(value.partition("?")[0]))
    elif kind == "pidfile":
        fine = what.startswith("/")
    else:
        fine = kind in ("unit", "process") and bool(what) and not what.startswith("-")
    if value and not (fine and printable):
        raise ValueError
    return value


def _usage(value: str) -> str:
    if value.lower() not in ("ask", "true", "false"):
        raise ValueError
    return value.lower()


def parse_proxy(value: str) -> str:
    """A proxy's URL, perhaps with a user and a password; or the absolute path of a file that holds one."""
    if not value or value.startswith("/"):
        return _path(value)
    scheme, _, rest = value.rstrip("/").partition("://")
    user, _, address = rest.rpartition("@")
    if not user.isascii() or not user.isprintable() or set(user) & set(" /?#@\\") or "/" in address:
        raise ValueError
    _endpoint(f"{scheme}://{address}")
    return value


TEXT = "up to 100 printable characters"
ENDPOINT = "the base URL of a Segment-compatible API, such as https://api.segment.io"
KEY = "ASCII without spaces and colons"
KEY_FILE = "the path of a file that exists"
PATH = "a path"
DURATION = "a whole number of seconds, or a number with a unit: 90s 15m 6h 1d (at most a year)"
INTERVAL = DURATION + ", not 0"
PROXY = (
    "http://HOST:PORT or https://HOST:PORT, with USER:PASSWORD@ before HOST where it is needed,"
    " or the path of a file with that in it; SOCKS is not supported"
)
HEALTH = "unit:NAME, pidfile:/PATH, process:NAME, tcp:HOST:PORT or http://…"
USAGE = "ask, true or false"
DEFAULT_PRODUCT = "rollcall"

SETTINGS = (
    Setting("ROLLCALL_PRODUCT", DEFAULT_PRODUCT, "name of the software that is installed", TEXT, _text),
    Setting("ROLLCALL_PRODUCT_VERSION", __version__, "its version", TEXT, _text),
    Setting(
        "ROLLCALL_ENDPOINT",
        "",
        "where events are sent; empty: they wait on this machine",
        ENDPOINT,
        _endpoint,
    ),
    Setting("ROLLCALL_WRITE_KEY", "", "the write key of the source", KEY, _key),
    Setting("ROLLCALL_WRITE_KEY_FILE", "", "file that contains the write key", KEY_FILE, _path),
    Setting(
        "ROLLCALL_PROXY", "", "proxy to send through; empty: as HTTPS_PROXY and so on say", PROXY, parse_proxy
    ),
    Setting("ROLLCALL_CA_FILE", "", "certificates to trust beside the system's, as PEM", PATH, _path),
    Setting("ROLLCALL_STATE_DIR", "", "directory of the instance id and the outbox", PATH, _path),
    Setting("ROLLCALL_ENV_FILE", "", "path of docker.env (only from the environment)", PATH, _path),
    Setting("ROLLCALL_INTERVAL", "6h", "time between two heartbeats (Instance Active)", INTERVAL, _interval),
    Setting("ROLLCALL_FIRST_DELAY", "2m", "time before the first heartbeat", DURATION, duration),
    Setting("ROLLCALL_JITTER", "5m", "longest random delay of each later heartbeat", DURATION, duration),
    Setting(
        "ROLLCALL_HEALTH", "", "heartbeats are sent only while this is alive; empty: always", HEALTH, _health
    ),
    Setting(
        "ROLLCALL_USAGE_TELEMETRY", "ask", "whether usage events are recorded; ask: ask once", USAGE, _usage
    ),
)
NAMES = frozenset(setting.name for setting in SETTINGS)
KEYS = frozenset({"ROLLCALL_WRITE_KEY", "ROLLCALL_WRITE_KEY_FILE"})
"""Two forms of one thing: a place that names one displaces the other in later places."""


class Settings:
    """The settings in force. An attribute is a setting's name in lower case without ROLLCALL_."""

    product: str
    product_version: str
    endpoint: str
    write_key: str
    write_key_file: str
    proxy: str
    ca_file: str
    state_dir: str
    env_file: str
    interval: float
    first_delay: float
    jitter: float
    health: str
    usage_telemetry: str

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.sources = sources
        """Where each setting that is not a default came from."""
        self.fault: SettingError | None = None
        """The first that does not parse, where that was forgiven."""

    @property
    def usage(self) -> bool:
        """Whether usage events were opted in to."""
        return self.usage_telemetry == "true"


def load(
    environ: Mapping[str, str], files: list[EnvFile], *, forgive: bool = False, folder: str = ""
) -> Settings:
    """The settings in force, or SettingError for the first that does not parse.

    Relative paths begin in `folder`, or where this process stands.
    To `forgive` is to take its default instead: for those who are silent, whatever it says.
    """
    given = _given(environ, files)
    settings = Settings({name: source for name, (_, source) in given.items()})
    faults = [fault for setting in SETTINGS if (fault := _set(settings, setting, given, folder))]
    if environ.get("CREDENTIALS_DIRECTORY") and not settings.write_key:
        from agent.config import credentials  # only a service has them

        settings.write_key_file = credentials.write_key(environ) or settings.write_key_file
    faults = faults or list(filter(None, [_key_file_fault(settings)]))
    if faults and not forgive:
        raise faults[0]
    settings.fault = faults[0] if faults else None
    return settings


def _set(
    settings: Settings, setting: Setting, given: Mapping[str, tuple[str, str]], folder: str
) -> SettingError | None:
    """Parse one setting; where it does not, its default, and the error."""
    value, source = given.get(setting.name, (setting.default, "the default"))
    if value and setting.parse is _path:
        value = os.path.join(folder, value)
    fault = None
    try:
        parsed = setting.parse(value)
    except (ValueError, OSError):  # OSError: a relative path, and the working directory is gone
        fault = SettingError(setting.name, source, setting.accepted)
        parsed = setting.parse(setting.default)
    setattr(settings, setting.name.removeprefix("ROLLCALL_").lower(), parsed)
    return fault


def _given(environ: Mapping[str, str], files: list[EnvFile]) -> dict[str, tuple[str, str]]:
    """What was set, and where: each name by the environment, else by the first docker.env that names it.

    A file that names a setting without a value asks for the default. Files that may only silence have none.
    """
    given = {name: (environ[name], "the environment") for name in NAMES if environ.get(name)}
    settled = {"ROLLCALL_ENV_FILE", *_with_twin(given)}
    for file in files:
        lines = {name: line for name, line in file.settings.items() if name not in settled}
        for name, line in lines.items():
            if line.value:
                given[name] = (line.value, f"{file.path}:{line.line}")
        settled |= _with_twin(lines)
    return given


def _with_twin(names: Iterable[str]) -> set[str]:
    """The names, and both forms of the write key where one is among them."""
    found = set(names)
    return found | KEYS if found & KEYS else found


def _key_file_fault(settings: Settings) -> SettingError | None:
    path = settings.write_key_file
    if not path or settings.write_key:
        return None
    try:
        found = stat.S_ISREG(os.stat(path).st_mode)
    except PermissionError:
        return None
    except OSError:
        found = False
    return None if found else _key_file_error(settings)


def _key_file_error(settings: Settings, accepted: str | None = None) -> SettingError:
    name = "ROLLCALL_WRITE_KEY_FILE"
    accepted = accepted or next(setting.accepted for setting in SETTINGS if setting.name == name)
    return SettingError(name, settings.sources.get(name, "the default"), accepted)


def write_key(settings: Settings) -> str:
    """The write key itself: the setting, else the first line of its file. For those who send."""
    if settings.write_key or not settings.write_key_file:
        return settings.write_key
    try:
        key = _key(read_small(settings.write_key_file, MAX_KEY_FILE).decode("ascii").strip())
    except (OSError, ValueError):
        key = ""
    if not key:
        accepted = "the path of a file that has only the key in it, and that the sending user can read"
        raise _key_file_error(settings, accepted)
    return key


def default_state_dir(environ: Mapping[str, str], *, name: str, uid: int, home: str, root: str = "/") -> str:
    """Where state is kept when no setting says so."""
    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if os.path.isabs(given):
        return given
    if uid == 0:
        return os.path.join(root, "var/lib", name)
    base = environ.get("XDG_STATE_HOME", "")
    return os.path.join(base if os.path.isabs(base) else os.path.join(home, ".local/state"), name)
