"""Health, readiness, metrics, and the settings for browsers."""

from __future__ import annotations

import socket

from tests.collector.running import Collector, event


def test_the_browser_library_finds_its_settings_here(collector: Collector) -> None:
    settings = collector.get("/v1/projects/abc/settings").json()
    segment = settings["integrations"]["Segment.io"]
    assert segment == {"apiKey": "abc", "apiHost": f"127.0.0.1:{collector.port}/v1", "protocol": "http"}
    assert settings["metrics"]["sampleRate"] == 0
    assert collector.post("/v1/m", {"series": []}, key="").status == 200


def test_health_readiness_and_metrics_answer(collector: Collector) -> None:
    collector.post("/v1/batch", {"batch": [event(), event()]})
    assert collector.get("/healthz").status == collector.get("/readyz").status == 200
    meters = collector.get("/metrics").body.decode()
    assert 'rollcall_events_received_total{source="test"} 2.0' in meters
    assert "rollcall_events_stored 2.0" in meters
    for proxied in ({"X_Forwarded_For": "1.2.3.4"}, {"X_Real_IP": "1.2.3.4"}, {"Via": "1.1 cache"}):
        assert collector.get("/metrics", **proxied).status == 403
    with socket.create_connection(("127.0.0.1", collector.port), timeout=20) as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")  # as nginx asks, and says nothing of itself
        assert client.recv(100).startswith(b"HTTP/1.1 403")
    assert collector.get("/nowhere").status == 403  # the page, which is closed
    assert collector.request("DELETE", "/healthz").status == 405
    assert collector.get("/v1/track").status == 405
