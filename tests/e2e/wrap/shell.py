"""A person at a real interactive bash on a pseudo-terminal."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from agent.events.shown import NEWEST
from tests.wait import PATIENCE, until

PROMPT = "PS> "


def told_before(state: Path) -> None:
    """As a notice on a terminal leaves the state directory."""
    (state / "catalogue-shown").write_text(f"{NEWEST}\n")
    (state / "notice-shown").touch()


class Shell:
    """Types, and reads what the screen shows. Ends its bash and all its jobs when left."""

    def __init__(self, environment: Mapping[str, str], cwd: str) -> None:
        self._master, slave = os.openpty()
        self.resize(24, 80)
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "bash", "--norc", "--noprofile", "-i"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env={**environment, "PS1": PROMPT, "TERM": "dumb", "INPUTRC": "/dev/null", "HISTFILE": ""},
        )
        os.close(slave)
        self.screen = ""
        self._read_to = 0
        self.expect(PROMPT)
        self.run("bind 'set enable-bracketed-paste off' 2>/dev/null; set +o history")
        self._from = len(self.screen)

    @property
    def transcript(self) -> str:
        """What was shown, with what differs from run to run made equal."""
        shown = self.screen[self._from :].replace("\r\n", "\n")
        return re.sub(r"\b\d{3,}\b|(?<=/dev/pts/)\d+", "N", shown)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def settle(self) -> None:
        """Wait until all in the foreground sleep: sudo loses a ^C between its prompt and its read."""
        until(lambda: set(self._foreground()) <= {"S", "T"})

    def _foreground(self) -> Iterator[str]:
        group = os.tcgetpgrp(self._master)
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                state, _, its, *_ = stat.read_text(errors="replace").rpartition(")")[2].split()
                if int(its) == group:
                    yield state

    def expect(self, *texts: str) -> str:
        """Read until one of the texts is shown, beyond what was expected before; which it is."""
        deadline = time.monotonic() + PATIENCE
        text = " or ".join(texts)
        while not (shown := [each for each in texts if self.screen.find(each, self._read_to) >= 0]):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._master], [], [], left)[0]:
                raise TimeoutError(f"{text!r} was not shown: {self.screen!r}")
            try:
                self.screen += os.read(self._master, 65536).decode("utf-8", "replace")
            except OSError:
                raise EOFError(f"{text!r} was not shown before the end: {self.screen!r}") from None
        first = min(shown, key=lambda each: self.screen.find(each, self._read_to))
        self._read_to = self.screen.find(first, self._read_to) + len(first)
        return first

    def run(self, command: str) -> None:
        """Type a command and wait for the next prompt."""
        self.type(command + "\n")
        self.expect(command[-8:])
        self.expect(PROMPT)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def __enter__(self) -> "Shell":  # noqa: PYI034 - Self is younger than Python 3.10
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGHUP)
        os.close(self._master)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
