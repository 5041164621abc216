"""The collector with PostgreSQL, as compose.collector.yaml says."""

import json
import shutil

import pytest

from tests.e2e.containers.host import Host
from tests.e2e.containers.postgres import build_postgres
from tests.install.scripts import CHECKOUT
from tests.wait import until

pytestmark = [
    pytest.mark.once,
    pytest.mark.serial,
    pytest.mark.timeout(600),
    pytest.mark.needs("root", "systemd", "mmdebstrap", "podman", "postgresql", "curl"),
]

PLACE = "/srv/vendor"
SECRET = "not-a-secret"
ENV = (
    f"POSTGRES_PASSWORD={SECRET}\nROLLCALL_COLLECTOR_DB=postgresql://collector:{SECRET}@postgres/collector\n"
)
EVENT = json.dumps(
    {"anonymousId": "one", "event": "Tried", "messageId": "m1", "timestamp": "2026-11-29T00:00:00Z"}
)
COLLECTOR = "vendor_collector_1"


def test_it_keeps_events_in_postgresql_over_a_restart(host: Host) -> None:
    build_postgres(host)
    folder = host.machine.path(PLACE)
    folder.mkdir()
    text = (CHECKOUT / "deploy/compose.collector.yaml").read_text()
    (folder / "compose.yaml").write_text(text.replace("127.0.0.1:8787:8787", "127.0.0.1:8788:8787"))
    (folder / "collector.env").write_text(ENV)
    (folder / "collector.env").chmod(0o600)

    def compose(words: str) -> None:
        host.machine.run("sh", "-euc", f"cd {PLACE}; podman-compose {words}")

    def ready() -> bool:
        words = ["curl", "-fs", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:8788/readyz"]
        return host.machine.run(*words, check=False) == "200"

    compose("up -d")
    until(ready, why="PostgreSQL answers, and so the collector")
    key = host.said(COLLECTOR, "rollcall-collector", "keys", "add", "test")
    post = ["curl", "-fsS", "-u", f"{key}:", "-H", "Content-Type: application/json", "-d", EVENT]
    host.machine.run(*post, "http://127.0.0.1:8788/v1/track")
    compose("down")
    compose("up -d")
    until(ready, why="and again")
    kept = host.said(COLLECTOR, "rollcall-collector", "export", "-").splitlines()
    assert [json.loads(line)["messageId"] for line in kept] == ["m1"]
    assert host.podman("exec", "vendor_postgres_1", "ls", "/var/lib/postgresql/data/PG_VERSION")
    compose("down")
    host.podman("volume", "rm", "vendor_postgres")
    shutil.rmtree(folder)
