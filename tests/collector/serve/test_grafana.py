"""Each query of the Grafana dashboard finds something in Debian's Prometheus, which asks a collector."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.collector.running import Collector, event
from tests.deadends import unused_port
from tests.parts import find
from tests.wait import PATIENCE, until

DASHBOARD = Path(__file__).parents[3] / "deploy" / "grafana" / "rollcall.json"
CONFIG = """
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: rollcall
    static_configs: [{targets: ["127.0.0.1:%d"]}]
"""


@contextlib.contextmanager
def prometheus(folder: Path, target: int) -> Iterator[Callable[[str], Any]]:
    """A running Prometheus; the function asks it, and returns what it found."""
    config, port = folder / "prometheus.yml", unused_port()
    config.write_text(CONFIG % target)
    process = subprocess.Popen(
        [
            find("prometheus") or "",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ],
        cwd=folder,
        stdin=subprocess.DEVNULL,
    )

    def ask(query: str) -> Any:
        with contextlib.suppress(ConnectionError, OSError):
            address = f"http://127.0.0.1:{port}/api/v1/query?{urlencode({'query': query})}"
            with urlopen(address, timeout=PATIENCE) as reply:
                answer = json.load(reply)
            assert answer["status"] == "success"
            return answer["data"]["result"]
        return []

    try:
        yield ask
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def queries() -> list[str]:
    """The queries of all panels, with what Grafana puts in for its variables."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    texts = [target["expr"] for panel in panels for target in panel["targets"]]
    return [text.replace("$source", ".*").replace("$__rate_interval", "10s") for text in texts]


@pytest.mark.once
@pytest.mark.needs("prometheus")
def test_every_query_of_the_dashboard_finds_something(collector: Collector, tmp_path: Path) -> None:
    collector.verb("demo-data", "--instances", "3", "--source", "demo")
    with prometheus(tmp_path, collector.port) as ask:
        found: dict[str, Any] = {}

        def all_found() -> bool:
            assert collector.post("/v1/track", event()).status == 200
            assert collector.post("/v1/track", {"type": "track", "event": ""}).status == 400
            for query in queries():
                found[query] = found.get(query) or ask(query)
            return all(found.values())

        def sources() -> set[str]:
            """None for a moment if the collector was slow to answer Prometheus."""
            return {one["metric"]["source"] for one in ask("rollcall_active_instances")}

        with contextlib.suppress(TimeoutError):
            until(all_found)
        assert [query for query in queries() if not found[query]] == []
        until(lambda: sources() >= {"demo", "test"})
        assert ask("rollcall_no_such_thing") == []


def test_every_panel_says_what_it_shows_and_asks_only_for_our_metrics() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len(panels) > 5
    assert all(panel["description"] for panel in panels)
    assert all("rollcall_" in query for query in queries())
