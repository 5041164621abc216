"""Every setting: its name, default, meaning, and what is accepted. Docs and --help are drawn from here.

Part of the boot path of `wrap`: imports stay few and cheap.
"""

from __future__ import annotations

import os
import stat

from agent import __version__
from agent.config import values
from agent.config.flags import silences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from agent.config.envfile import EnvFile


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
        self, name: str, default: str, meaning: str, kind: tuple[str, Callable[[str], object]]
    ) -> None:
        self.name = name
        self.default = default
        self.meaning = meaning
        self.accepted, self.parse = kind


DEFAULT_PRODUCT = "rollcall"

SETTINGS = (
    Setting("ROLLCALL_PRODUCT", DEFAULT_PRODUCT, "name of the software that is installed", values.TEXT),
    Setting("ROLLCALL_PRODUCT_VERSION", __version__, "its version", values.TEXT),
    Setting(
        "ROLLCALL_ENDPOINT", "", "where events are sent; empty: they wait on this machine", values.ENDPOINT
    ),
    Setting("ROLLCALL_WRITE_KEY", "", "the write key of the source", values.KEY),
    Setting("ROLLCALL_WRITE_KEY_FILE", "", "file that contains the write key", values.KEY_FILE),
    Setting(
        "ROLLCALL_PROXY",
        "",
        "proxy to send through; empty: HTTPS_PROXY, NO_PROXY and so on decide",
        values.PROXY,
    ),
    Setting(
        "ROLLCALL_CA_FILE", "", "PEM file of certificates to trust in addition to the system's", values.PATH
    ),
    Setting("ROLLCALL_STATE_DIR", "", "directory of the instance id and the outbox", values.PATH),
    Setting("ROLLCALL_ENV_FILE", "", "path of docker.env (only from the environment)", values.PATH),
    Setting("ROLLCALL_INTERVAL", "6h", "time between two heartbeats (Instance Active)", values.INTERVAL),
    Setting("ROLLCALL_FIRST_DELAY", "2m", "time before the first heartbeat", values.DURATION),
    Setting("ROLLCALL_JITTER", "5m", "longest random delay of each later heartbeat", values.DURATION),
    Setting(
        "ROLLCALL_HEALTH", "", "heartbeats are sent only while this is alive; empty: always", values.HEALTH
    ),
    Setting(
        "ROLLCALL_USAGE_TELEMETRY",
        "ask",
        "whether usage events are recorded; ask: not yet, but ask once after an install",
        values.USAGE,
    ),
    Setting(
        "ROLLCALL_USAGE_VERSION",
        "1",
        "set by the vendor: the version of the usage events; a newer one needs a new yes",
        values.VERSION,
    ),
    Setting(
        "ROLLCALL_USAGE_AGREED",
        "1",
        "the newest of these versions that the yes to usage events covers",
        values.VERSION,
    ),
    Setting(
        "ROLLCALL_ENVIRONMENT",
        "",
        "what installs here are for, so that counts of production stay honest; empty: ci where CI is set"
        " (0, false, no and off count as not set)",
        values.ENVIRONMENT,
    ),
    Setting("ROLLCALL_SUPPORT_KEY", "", "public key of the vendor, for support bundles", values.SUPPORT_KEY),
    Setting(
        "ROLLCALL_SUPPORT_LIST",
        "",
        "what a support bundle may hold; empty: /etc/NAME/support.list",
        values.PATH,
    ),
    Setting(
        "ROLLCALL_UPDATES_URL",
        "",
        "the vendor's feed of releases and advisories; empty: none is asked for",
        values.UPDATES_URL,
    ),
    Setting(
        "ROLLCALL_UPDATES_KEY", "", "public key, or two, that the feed is signed with", values.PUBLIC_KEYS
    ),
    Setting("ROLLCALL_UPDATES", "true", "whether the feed may be asked for", values.SWITCH),
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
    usage_version: int
    usage_agreed: int
    environment: str
    support_key: str
    support_list: str
    updates_url: str
    updates_key: str
    updates: str

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.sources = sources
        """Where each setting that is not a default came from."""
        self.fault: SettingError | None = None
        """The first that does not parse, where that was forgiven."""

    @property
    def no_feed(self) -> str | None:
        """Why no release feed is asked for with these settings; None if one is."""
        if self.updates == "false":
            return "ROLLCALL_UPDATES is false"
        if not self.updates_url:
            return "ROLLCALL_UPDATES_URL is not set"
        return None if self.updates_key else "ROLLCALL_UPDATES_KEY is not set"

    @property
    def usage(self) -> bool:
        """Whether usage events were opted in to, as they are now."""
        return self.usage_telemetry == "true" and not self.usage_widened

    @property
    def usage_widened(self) -> bool:
        """Whether there is a yes, and usage events say more than it was given to."""
        return self.usage_telemetry == "true" and self.usage_agreed < self.usage_version

    @property
    def usage_open(self) -> bool:
        """Whether nobody has said yes or no to usage events as they are now."""
        return self.usage_telemetry == "ask" or self.usage_widened


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

        settings.write_key_file = credentials.write_key_file(environ) or settings.write_key_file
    if not settings.environment and silences(environ.get("CI", "")):
        settings.environment = "ci"
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
    if value and setting.parse is values.parse_path:
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
    return None if found else file_error("ROLLCALL_WRITE_KEY_FILE", settings, values.KEY_FILE[0])


def file_error(name: str, settings: Settings, accepted: str) -> SettingError:
    """The error of a setting whose file is of no use."""
    return SettingError(name, settings.sources.get(name, "the default"), accepted)


def default_state_dir(environ: Mapping[str, str], *, name: str, uid: int, home: str, root: str = "/") -> str:
    """Where state is kept when no setting says so."""
    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if os.path.isabs(given):
        return given
    if uid == 0:
        return os.path.join(root, "var/lib", name)
    base = environ.get("XDG_STATE_HOME", "")
    return os.path.join(base if os.path.isabs(base) else os.path.join(home, ".local/state"), name)
