"""From an install that fails to what the vendor's support reads, under a real systemd."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.events.catalogue import BUNDLE
from tests import environ
from tests.e2e.collector_service import NAME, PORT, UNIT, VERB, install_collector
from tests.e2e.machine import Machine, booted
from tests.e2e.product import Product
from tests.wait import PATIENCE, until

pytestmark = [pytest.mark.needs("root", "systemd"), pytest.mark.once]

PASSWORD = "hunter2 it's"
PHRASE = "correct horse battery"
SCRIPT = f"""#!/bin/bash
set -e
exec >/var/log/shop/install.log 2>&1
echo "connecting with DB_PASSWORD={PASSWORD}"
echo "step 3 failed"
ls /nowhere-at-all
"""
LOGS = "/var/log/shop"
ADDRESS = f"http://127.0.0.1:{PORT}"
DATABASE = f"/var/lib/{NAME}/collector.db"
WATCHER = """
import os, sqlite3, sys, time
from contextlib import closing, suppress

def wait(column):
    found = None
    while not found or not found[0]:
        time.sleep(0.001)
        with suppress(sqlite3.OperationalError):  # just after a kill only the collector may mend its file
            with closing(sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)) as db:
                found = db.execute(f"SELECT {column}, size FROM bundles").fetchone()
    return found

wait("received")
os.kill(int(sys.argv[2]), 9)
print(*wait("received"), flush=True)
print(*wait("arrived"), flush=True)
"""
"""Kills the collector between two parts of a bundle, says how much it has, and once it has all."""


class Support:
    """A member's machine: files of its own, and the network of the collector, or none."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.folder, self.key = folder, ""
        self.online = ("nsenter", "-t", str(machine.pid), "-n", "--")

    def run(self, *words: str, online: bool = True) -> str:
        """What a verb prints."""
        prefix = self.online if online else ("unshare", "--net", "--")
        done = subprocess.run(
            [*prefix, sys.executable, "-m", "collector", *words],
            cwd=self.folder,
            env=environ.bare(self.folder),
            input=f"{PHRASE}\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def check(self, opened: str) -> Any:
        """The script's log is readable, and holds no secret; what it says of the failed install."""
        folder = self.folder / opened
        (log,) = folder.rglob("install.log")
        assert "connecting with DB_PASSWORD=‹secret-" in log.read_text()
        assert "step 3 failed\nls: cannot access '/nowhere-at-all'" in log.read_text()
        failed = json.loads((folder / "rollcall/failed-install.json").read_text())
        assert failed["event"]["properties"]["command"] == "ls"
        assert json.loads((folder / "rollcall/doctor.json").read_text())["checks"]
        assert "hunter2" not in "".join(path.read_text() for path in folder.rglob("*.*"))
        return failed


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with booted() as one:
        install_collector(one)
        one.run("systemctl", "start", UNIT)
        yield one


@pytest.fixture(scope="module")
def support(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Support:
    """Ann, the first member."""
    one = Support(machine, tmp_path_factory.mktemp("ann"))
    token = machine.run(*VERB, "tokens", "add", "join", "--role", "support").splitlines()[-1]
    (one.folder / "token").write_text(token)
    one.run("members", "join", "ann", "--collector", ADDRESS, "--token-file", "token")
    one.key = one.run("members", "key").strip()
    (one.folder / "code").write_text(one.run("members", "backup"))
    return one


def operators(machine: Machine, support: Support, name: str, settings: str) -> Product:
    """A server of an operator, on which the product's install fails."""
    product = Product(machine, name, extra="sealed")
    product.install(f"ROLLCALL_SUPPORT_KEY='{support.key}'\nDB_PASSWORD=\"{PASSWORD}\"\n{settings}")
    machine.path(LOGS).mkdir(exist_ok=True)
    machine.path(f"/etc/{name}/support.list").write_text(f"file {LOGS}/*.log\n")
    script = machine.path("/srv/install")
    script.write_text(SCRIPT)
    script.chmod(0o755)
    product.start()
    product.verb("wrap", "--no-input", "--", "/srv/install", check=False)
    return product


def bundle_state(product: Product) -> str:
    """What the log says of the bundle."""
    lines = map(json.loads, product.verb("log", "--json").splitlines())
    (state,) = (line["state"] for line in lines if line["event"]["event"] == BUNDLE)
    return str(state)


def test_a_bundle_arrives_although_the_collector_is_killed_and_restarted(
    machine: Machine, support: Support
) -> None:
    key = machine.run(*VERB, "keys", "add", "shop").splitlines()[-1]
    endpoint = f"ROLLCALL_ENDPOINT={ADDRESS}\nROLLCALL_WRITE_KEY={key}\n"
    product = operators(machine, support, "rollcall", endpoint)
    noise = "".join(f"{hashlib.sha256(b'%d' % n).hexdigest()} step {n}\n" for n in range(26_000))
    for copy in range(2):
        machine.path(f"{LOGS}/{copy}.log").write_text(noise)
    pid = machine.show(UNIT, "MainPID")
    with machine.start("python3", "-c", WATCHER, DATABASE, pid) as watcher:
        said = product.verb("support", "--bundle", "--yes")
        assert watcher.stdout is not None
        stored, size = map(int, watcher.stdout.readline().split())
        assert 0 < stored < size
        machine.run("systemctl", "restart", UNIT)
        assert machine.show(UNIT, "MainPID") not in {"0", pid}
        assert watcher.stdout.readline().endswith(f" {size}\n"), "the rest is sent"
    until(lambda: bundle_state(product) == "sent")
    until(lambda: not list((product.state / "bundles").iterdir()), why="its file is removed after that")
    (line,) = support.run("bundles", "list").splitlines()
    here = ("--source", "shop", "--collector", ADDRESS, "--token-file", "token")
    assert support.run("bundles", "list", *here) == f"{line}\n"
    bundle, _, _, run, bundle_key = line.split("\t")
    assert f"{size} bytes, SHA-256 {bundle}" in said
    assert bundle_key.removeprefix("key ") in said
    support.run("bundles", "fetch", bundle[:8], "-o", "fetched.jwe")
    assert hashlib.sha256((support.folder / "fetched.jwe").read_bytes()).hexdigest() == bundle
    support.run("bundles", "open", bundle[:8], "-o", "opened")
    failed = support.check("opened")
    assert run == f"run {failed['event']['context']['installation']['id']}"
    held = b"".join(path.read_bytes() for path in machine.path(DATABASE).parent.glob("collector.db*"))
    assert line.split()[-1].encode() in held, "the bundle's key, so this is where it is"
    assert not [word for word in (b"hunter2", b"step 3 failed", b"nowhere") if word in held]


def test_an_air_gapped_site_writes_a_file_that_opens_without_a_network(
    machine: Machine, support: Support
) -> None:
    product = operators(machine, support, "rollcall-remote", "")
    for log in machine.path(LOGS).glob("?.log"):
        log.unlink()
    product.verb("support", "--bundle", "--yes", "--out", "/srv/bundle.jwe")
    (support.folder / "bundle.jwe").write_bytes(machine.path("/srv/bundle.jwe").read_bytes())
    support.run("bundles", "open", "bundle.jwe", "--key", "code", "-o", "by-file", online=False)
    support.check("by-file")
