"""Runs inside the guest of test_power_cut.py: says what both stores hold, then serves both.

It is the guest's only program. What it says goes to the host by a port of its own: the export of each store,
followed by a line END. All other output is the console's.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

from collector import cli
from collector.page import app  # noqa: F401 - imported once, for all forks
from collector.serve import server  # noqa: F401
from collector.store import postgres  # noqa: F401
from collector.store.sql import store  # noqa: F401
from collector.store.sqlite import SQLiteDatabase

NOBODY = 65534
DATA = "/data/postgresql/data"
URLS = {
    "sqlite:////data/sqlite/collector.db": 8001,
    "postgresql://postgres@/test1?host=/run": 8002,
}
POSTGRESQL = f"/opt/postgres -D {DATA} -k /run -p 5432 -c listen_addresses= -c jit=off".split()
CARELESS = ["-c", "fsync=off"]
POLL_SECONDS = 0.1


def main(*, unsafe: bool) -> None:
    state = pathlib.Path(DATA, "postmaster.pid")
    state.unlink(missing_ok=True)  # of the boot before
    command = POSTGRESQL + CARELESS * unsafe
    subprocess.Popen(command, user=NOBODY, group=NOBODY, extra_groups=[])
    if unsafe:
        forget_to_flush()
    while not (state.exists() and "ready" in state.read_text()):
        time.sleep(POLL_SECONDS)
    with next(pathlib.Path("/dev").glob("vport*")).open("wb", buffering=0) as port:
        for url in URLS:
            os.waitpid(fork("export", "-", "--db", url, output=port.fileno()), 0)
            port.write(b"END\n")
    os.environ.update(json.loads(pathlib.Path("/settings.json").read_text()))
    for url, number in URLS.items():
        fork("serve", "--db", url, "--listen", f"0.0.0.0:{number}")
    while True:
        os.wait()


def forget_to_flush() -> None:
    """Make SQLite as careless as `fsync=off` makes PostgreSQL."""
    connect = SQLiteDatabase._connect

    def careless(database: SQLiteDatabase, cache_kib: int) -> object:
        connection = connect(database, cache_kib)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    SQLiteDatabase._connect = careless  # type: ignore[method-assign,assignment]
    SQLiteDatabase._set_flushing = lambda *_, **__: None  # type: ignore[method-assign]


def fork(*words: str, output: int = 2) -> int:
    """Start a verb of the collector."""
    pid = os.fork()
    if pid == 0:
        os.dup2(output, 1)
        os._exit(cli.main(words))
    return pid


if __name__ == "__main__":
    main(unsafe="yes" in sys.argv)
