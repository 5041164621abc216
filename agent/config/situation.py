"""What this process was given, looked at once: decision, settings, docker.env files, state directory.

Part of the boot path of `wrap`: imports stay few and cheap.
"""

from __future__ import annotations

import os

from agent.base.files import FileStamp, file_stamp, read_small
from agent.base.messages import product_name, typed_command
from agent.base.owner import ActingAsOwner
from agent.base.statedir import StateDir
from agent.config import envfile, settings
from agent.config.consent import decision_from_environment, decision_from_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.config.consent import Decision
    from agent.config.envfile import EnvFile
    from agent.config.settings import Settings

DELETED = "/proc/self/cwd"
MAX_SEEN = 64 * 1024
"""How much of the list of files that were read before is looked at."""


class Situation:
    """Made by `read_situation`. Reading it changes nothing."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        cwd: str,
        uid: int,
        name: str,
        command: str = "",
        root: str = "/",
    ) -> None:
        self.environ = environ
        self.cwd = cwd
        self.uid = uid
        self.root = root
        self.name = name
        self.command = command or name
        """What a person types."""
        self._env_files: list[EnvFile] | None = None
        self._settings: Settings | None = None

    def reread(self) -> Situation:
        """The same, looked at once more."""
        return Situation(
            self.environ, cwd=self.cwd, uid=self.uid, name=self.name, command=self.command, root=self.root
        )

    @property
    def env_files(self) -> list[EnvFile]:
        """Every docker.env that exists, in order of precedence; read when first asked for."""
        if self._env_files is None:
            self._env_files = envfile.read_env_files(
                self.environ,
                settings.NAMES,
                name=self.name,
                cwd=self.cwd,
                uid=self.uid,
                root=self.root,
            )
        return self._env_files

    @property
    def decision(self) -> Decision:
        """May anything be recorded or sent? Where the environment says no, no file is opened."""
        return decision_from_environment(self.environ) or decision_from_files(self.env_files)

    @property
    def standing_decision(self) -> Decision:
        """The decision for heartbeats, which a docker.env that was read before and is gone silences too.

        What another caller read, in a folder where this one does not look, is no doubt of this one.
        """
        decision = self.decision
        if not decision.sending:
            return decision_from_environment(self.environ) or self._behind_stand_ins(decision)
        places = self.places()
        seen = [path for path in files_last_read(self.state) if path in places]
        return decision_from_files(self.env_files, seen)

    def _behind_stand_ins(self, decision: Decision) -> Decision:
        """The decision of docker.env files, where the flag of a stand-in may only mean that one is gone.

        systemd gives the service a stand-in for a file that is not there when the service starts.
        """
        if "CREDENTIALS_DIRECTORY" not in self.environ:
            return decision
        from agent.config import credentials  # only a service has them

        stand_ins = [
            file for file in self.env_files if any(flag.name == credentials.STAND_IN for flag in file.flags)
        ]
        copies, seen = dict(credentials.env_files(self.environ)), set(files_last_read(self.state))
        told = [(file.path, copies[file.path]) for file in stand_ins if file.path in copies]
        gone = [source for copy, source in told if seen & {copy, source}]
        found = decision_from_files([file for file in self.env_files if file not in stand_ins], gone)
        return decision if found.sending else found

    @property
    def settings(self) -> Settings:
        """The settings in force; raises SettingError while one of them does not parse.

        A flag comes before that: where one silences, no setting can make it an error.
        """
        if self._settings is None:
            found = settings.load(
                self.environ,
                self.env_files,
                forgive=not self.decision.sending,
                folder="" if self.cwd == DELETED else self.cwd,
            )
            found.state_dir = found.state_dir or settings.default_state_dir(
                self.environ,
                name=self.name,
                uid=self.uid,
                home=envfile.home(self.environ),
                root=self.root,
            )
            self._settings = found
        return self._settings

    @property
    def state(self) -> StateDir:
        """The state directory, which may not exist."""
        return StateDir(self.settings.state_dir)

    @property
    def service_state(self) -> str | None:
        """Where the service on this machine keeps its state, if that is another place than this caller's."""
        service = os.path.join(self.root, "var/lib", self.name)
        mine = os.path.realpath(self.state.path)
        return service if os.path.isdir(service) and os.path.realpath(service) != mine else None

    @property
    def locked_out(self) -> str | None:
        """The machine's docker.env, if it silences this caller only because he may not read it."""
        decision = self.decision
        path = envfile.system_file(self.name, self.root)
        return path if decision.rule == "unreadable" and decision.source == path and self.uid != 0 else None

    @property
    def env_file(self) -> str | None:
        """The docker.env that settings come from; the one `disable` would write to, if it exists."""
        if named := next((path for name in envfile.NAMED if (path := self.environ.get(name))), None):
            return os.path.normpath(os.path.join(self.cwd, named))
        return next((file.path for file in self.env_files if file.trusted), None)

    @property
    def env_file_to_make(self) -> str:
        """The docker.env that a choice is written to where there is none yet."""
        if self.uid == 0:
            return envfile.system_file(self.name, self.root)
        return envfile.user_file(self.environ, self.name)

    def file_stamps(self) -> list[FileStamp]:
        """Every place a docker.env may be, with what changes when the file does; nothing is opened."""
        return [file_stamp(place) for place in self.places()]

    def places(self) -> list[str]:
        """Every place where this caller looks for a docker.env."""
        return envfile.env_file_places(self.environ, name=self.name, cwd=self.cwd, root=self.root)


def read_situation(environ: Mapping[str, str], *, cwd: str, uid: int, root: str = "/") -> Situation:
    """Look at everything that decides, once."""
    command = typed_command(environ.get("PATH", ""))
    return Situation(environ, cwd=cwd, uid=uid, name=product_name(), command=command, root=root)


def working_directory() -> str:
    """Where the caller stands. One that was deleted has a name below which nothing is found."""
    try:
        return os.getcwd()
    except OSError:
        return DELETED


def files_last_read(state: StateDir) -> list[str]:
    """The docker.env files that the service or a beat read last, as the state's owner notes them."""
    try:
        with ActingAsOwner(state):
            data = read_small(state.seen, MAX_SEEN)
    except (OSError, ValueError):
        return []
    return [os.fsdecode(path) for path in data.split(b"\0") if path]
