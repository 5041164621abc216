"""From a failed install to what the vendor reads: real programs, and a collector that is killed meanwhile."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.base.statedir import StateDir
from agent.events.catalogue import BUNDLE
from agent.outbox.outbox import read_outbox
from tests import environ
from tests.collector.running import Collector
from tests.leftovers import end_senders
from tests.verbs import AGENT
from tests.wait import until

pytestmark = pytest.mark.needs("root")  # only root's list is heeded
PASSWORD = "hunter2 it's"
PHRASE = "correct horse battery"


class Site:
    """An operator's machine: an installer that fails, its log, the vendor's list and key."""

    def __init__(self, collector: Collector, path: Path) -> None:
        self.collector, self.path = collector, path
        self.key = ""
        self.log = path / "install.log"
        noise = "".join(f"{hashlib.sha256(b'%d' % n).hexdigest()[:9]} step {n}\n" for n in range(30_000))
        self.log.write_text(f"{noise}connecting with DB_PASSWORD={PASSWORD}\nstep 3 failed\n")
        (path / "support.list").write_text(f"file {self.log}\n")
        self.installer = path / "install"
        self.installer.write_text("#!/bin/bash\nset -e\nls /nowhere-at-all\n")
        self.installer.chmod(0o755)

    def run(self, *words: str, code: int = 0, **more: str) -> str:
        """A verb's messages."""
        settings = {
            "ROLLCALL_ENDPOINT": f"http://127.0.0.1:{self.collector.port}",
            "ROLLCALL_WRITE_KEY": self.collector.key,
            "ROLLCALL_STATE_DIR": str(self.path / "state"),
            "ROLLCALL_SUPPORT_KEY": self.key,
            "ROLLCALL_SUPPORT_LIST": str(self.path / "support.list"),
            "DB_PASSWORD": PASSWORD,
            **more,
        }
        done = subprocess.run(
            [*AGENT, *words],
            env=environ.bare(self.path, **settings),
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def states(self) -> list[str]:
        with read_outbox(StateDir(str(self.path / "state"))) as outbox:
            entries = outbox.entries() if outbox else []
        return [entry.state for entry in entries if entry.name == BUNDLE]


@pytest.fixture
def site(collector: Collector, tmp_path: Path) -> Iterator[Site]:
    yield Site(collector, tmp_path)
    end_senders(tmp_path)


def support(folder: Path, *words: str) -> str:
    """What a verb prints on a member's machine, which has no database."""
    done = subprocess.run(
        [sys.executable, "-m", "collector", *words],
        cwd=folder,
        env=environ.bare(folder),
        input=f"{PHRASE}\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.once
def test_a_failed_installs_log_reaches_support_although_the_collector_is_killed(
    site: Site, collector: Collector
) -> None:
    (site.path / "token").write_text(collector.verb("tokens", "add", "ann", "--role", "support").stdout)
    address = f"http://127.0.0.1:{collector.port}"
    support(site.path, "members", "join", "ann", "--collector", address, "--token-file", "token")
    site.key = support(site.path, "members", "key").strip()
    site.run("wrap", "--no-input", "--", str(site.installer), code=2)
    collector.kill()
    said = site.run("support", "--bundle", "--yes")
    assert "it is being sent" in said
    assert site.states() == ["waiting"]
    collector.start(f"127.0.0.1:{collector.port}")  # soon: each try that fails doubles the wait
    assert "Support Bundle" in site.run("log")
    until(lambda: site.states() == ["sent"], 150, "the sender tries again")
    until(lambda: not list((site.path / "state/bundles").iterdir()), 30, "its file is deleted")
    here = ["--token-file", "token", "--collector", f"http://127.0.0.1:{collector.port}"]
    (line,) = support(site.path, "bundles", "list", "--source", "test").splitlines()
    assert support(site.path, "bundles", "list", "--source", "test", *here) == f"{line}\n"
    bundle, _, _, run, key = line.split("\t")
    assert f"SHA-256 {bundle}" in said
    assert key.removeprefix("key ") in said
    support(site.path, "bundles", "open", bundle[:8], "--source", "test", "-o", "opened")
    support(site.path, "bundles", "fetch", bundle[:8], "--source", "test", "-o", "bundle.jwe")
    assert hashlib.sha256((site.path / "bundle.jwe").read_bytes()).hexdigest() == bundle
    folder = site.path / "opened"
    (log,) = folder.rglob("install.log")
    assert "step 3 failed" in log.read_text()
    assert "hunter2" not in log.read_text()
    failed = json.loads((folder / "rollcall/failed-install.json").read_text())
    assert failed["event"]["properties"]["command"] == "ls"
    assert run == f"run {failed['event']['context']['installation']['id']}"
    assert json.loads((folder / "rollcall/doctor.json").read_text())["checks"]
