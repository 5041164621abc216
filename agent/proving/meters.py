"""What is counted of one step: packets by the kernel, look-ups by our server of names, calls by strace."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass

NETWORK = re.compile(r"\b(?:socket|connect|sendto|sendmsg|sendmmsg|bind)\(")
CREATES = re.compile(r"O_CREAT|\b(?:mkdir|mknod|symlink|link|rename)(?:at2?)?\(")
NOT_OURS = re.compile(r'"(?:/dev/|/proc/|[^"]*/__pycache__)')
"""Devices, and what Python keeps of its own."""
CALLS = (
    "network,open,openat,?openat2,creat,mkdir,mkdirat,mknod,mknodat,symlink,symlinkat,link,linkat,rename,"
    "renameat,?renameat2"
)
TABLE = "rollcall_prove"
RULES = f"""table inet {TABLE} {{
    chain out {{
        type filter hook output priority 0
        counter
    }}
}}
"""
TOOL_SECONDS = 10
MOST_LINES = 20
"""How many calls of one step are kept as evidence."""


@dataclass(frozen=True)
class Count:
    """What one step did. None is what cannot be measured here."""

    packets: int
    lookups: int | None
    sockets: int | None
    files: int

    def as_dict(self) -> dict[str, int | None]:
        return asdict(self)

    @property
    def quiet(self) -> bool:
        return not any((self.packets, self.lookups, self.sockets, self.files))


def packets() -> int:
    """Packets sent in this namespace so far, and those that had nowhere to go."""
    sent = 0
    with open("/proc/self/net/dev", encoding="ascii") as file:
        for line in file.readlines()[2:]:
            sent += int(line.partition(":")[2].split()[9])
    return sent + _no_routes()


def _no_routes() -> int:
    """Tries to send where no route leads."""
    found = 0
    with open("/proc/self/net/snmp", encoding="ascii") as file:
        lines = [line.split() for line in file if line.startswith("Ip:")]
    found += int(lines[1][lines[0].index("OutNoRoutes")])
    if os.path.exists("/proc/self/net/snmp6"):
        with open("/proc/self/net/snmp6", encoding="ascii") as file:
            found += sum(int(line.split()[1]) for line in file if line.startswith("Ip6OutNoRoutes"))
    return found


class Nft:
    """Counts packets by nftables too, where that is allowed. `problem` says why it does not."""

    def __init__(self, path: str) -> None:
        self._nft = shutil.which("nft", path=path)
        self.problem = "" if self._nft else "nft is not installed"
        if self._nft and self._run("-f", "-", typed=RULES) is None:
            self.problem = "nft is not allowed to count here"

    def packets(self) -> int:
        """Packets sent so far; 0 where it does not count."""
        told = None if self.problem else self._run("-j", "list", "table", "inet", TABLE)
        parts = json.loads(told)["nftables"] if told else []
        rules = [part for item in parts for part in item.get("rule", {}).get("expr", [])]
        return sum(part["counter"]["packets"] for part in rules if "counter" in part)

    def _run(self, *words: str, typed: str = "") -> str | None:
        try:
            done = subprocess.run(
                [str(self._nft), *words],
                input=typed,
                capture_output=True,
                text=True,
                timeout=TOOL_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout


class Strace:
    """Notes the calls of a step, where strace is there and allowed to. `problem` says why it does not."""

    def __init__(self, path: str, log: str, edited: str) -> None:
        """What becomes of the file `edited` is not counted: it is edited at the operator's word."""
        self._strace = shutil.which("strace", path=path)
        self._edited = f'"{edited}'
        self._log = log
        self.problem = "" if self._strace else "strace is not installed"
        self.calls: list[str] = []
        if self._strace and not self._works():
            self.problem = "strace is not allowed to trace here"

    def _works(self) -> bool:
        words = [*self.prefix(), "/bin/sh", "-c", ": >/dev/null"]
        try:
            subprocess.run(words, capture_output=True, timeout=TOOL_SECONDS, check=True)
        except (OSError, subprocess.SubprocessError):
            return False
        self.read()
        return bool(self.calls)

    def prefix(self) -> list[str]:
        """What comes before a command. The command stays our child, so that it can be signalled."""
        if self.problem:
            return []
        return [str(self._strace), "-D", "-f", "-qq", "-s", "0", "-e", f"trace={CALLS}", "-o", self._log]

    def read(self) -> None:
        """Take in the calls of the step that ended."""
        try:
            with open(self._log, encoding="utf-8", errors="replace") as file:
                self.calls = file.read().splitlines()
            os.unlink(self._log)
        except OSError:
            self.calls = []

    def sockets(self) -> list[str]:
        return [line for line in self.calls if NETWORK.search(line)]

    def made(self) -> list[str]:
        lines = (line for line in self.calls if CREATES.search(line) and " = -1 " not in line)
        return [line for line in lines if not NOT_OURS.search(line) and self._edited not in line]


def paths_below(folder: str) -> set[str]:
    """Every file and folder there."""
    return {os.path.join(place, name) for place, *names in os.walk(folder) for name in names[0] + names[1]}
