"""A person at a terminal who runs the wrapper, and is told and asked by it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import environ
from tests.e2e.wrap.shell import Shell
from tests.verbs import run_verb

OPT_IN, HELP = "share pseudonymous usage data with Acme? [y/N] ", "e-mail address, if you would like help"
NOBODY_THERE = "http://127.0.0.1:9"


class Desk:
    """A person's terminal, with `w` for the wrapper and a docker.env of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.env_file = place / "docker.env"
        self.env_file.write_text("# mine\nROLLCALL_PRODUCT=Acme\n")
        (place / "bin").mkdir()
        (place / "bin/w").write_text(f'#!/bin/sh\nexec {sys.executable} -I -m agent wrap "$@"\n')
        (place / "bin/w").chmod(0o755)
        self.environment = environ.covered(
            place,
            ROLLCALL_STATE_DIR=str(place / "state"),
            ROLLCALL_ENV_FILE=str(self.env_file),
            ROLLCALL_ENDPOINT=NOBODY_THERE,
        )
        self.environment["PATH"] = f"{place}/bin:{self.environment['PATH']}"

    @contextmanager
    def shell(self) -> Iterator[Shell]:
        with Shell(self.environment, str(self.place)) as shell:
            yield shell

    def asked_before(self) -> None:
        (self.place / "state").mkdir(exist_ok=True)
        (self.place / "state/opt-in-asked").touch()

    def verb(self, *words: str) -> subprocess.CompletedProcess[str]:
        return run_verb(*words, env=self.environment, cwd=self.place)

    def log(self) -> list[dict[str, Any]]:
        self.verb("flush", "--budget", "1s")  # what was recorded late is taken in
        return [json.loads(line)["event"] for line in self.verb("log", "--json").stdout.splitlines()]

    def names(self) -> list[object]:
        return [event["event"] for event in self.log()]
