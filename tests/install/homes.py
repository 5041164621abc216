"""A home directory with `install.sh --user` in it, or what an interruption left of that."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from tests.install.scripts import AS_NOBODY, OFFLINE, environment, run, shell
from tests.install.trees import tree

WORDS = ["--user", "--endpoint", "http://127.0.0.1:9"]


@dataclass
class Home:
    """The home directory of an ordinary user, and the archive that they install from."""

    bundle: Path
    path: Path

    @property
    def environ(self) -> dict[str, str]:
        return environment(self.path)

    @property
    def command(self) -> Path:
        return self.path / ".local/bin/rollcall"

    @property
    def env_file(self) -> Path:
        return self.path / ".config/rollcall/docker.env"

    @property
    def root(self) -> Path:
        return self.path / ".local/share/rollcall"

    def installing(self, *words: str) -> list[str]:
        script = f"{self.bundle}/install/install.sh"
        return [*OFFLINE, *AS_NOBODY, *shell("dash"), script, *WORDS, *words]

    def works(self) -> None:
        done = run(*AS_NOBODY, self.command, "status", "--json", environ=self.environ)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["sending"] is True

    def is_mended(self) -> None:
        """The next run makes all whole again, and leaves nothing of what was interrupted."""
        done = run(*self.installing(), environ=self.environ)
        assert done.returncode == 0, done.stderr
        self.works()
        assert "\nROLLCALL_ENDPOINT=http://127.0.0.1:9\n" in self.env_file.read_text()
        assert [path.name for path in self.root.glob("env-*")] == [os.readlink(self.root / "current")]
        assert (self.root / "current/made").read_text()

    def is_uninstalled(self) -> None:
        words = [*AS_NOBODY, *shell("dash"), f"{self.bundle}/install/uninstall.sh", "--yes"]
        done = run(*words, environ=self.environ)
        assert done.returncode == 0, done.stderr
        assert tree(self.path, "") == {}
