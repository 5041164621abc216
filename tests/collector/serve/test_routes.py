"""Health, readiness, metrics, and the settings for browsers."""

from __future__ import annotations

import socket
from urllib.parse import urlencode

from tests.collector.running import Collector, event
from tests.wait import PATIENCE


def test_the_browser_library_finds_its_settings_here(collector: Collector) -> None:
    settings = collector.get("/v1/projects/abc/settings").json()
    segment = settings["integrations"]["Segment.io"]
    assert segment == {"apiKey": "abc", "apiHost": f"127.0.0.1:{collector.port}/v1", "protocol": "http"}
    assert settings["metrics"]["sampleRate"] == 0
    assert collector.post("/v1/m", {"series": []}, key="").status == 200


def test_rudderstacks_browser_library_finds_its_settings_here(collector: Collector) -> None:
    asked = {"Origin": "https://a.example", "Access-Control-Request-Headers": "authorization"}
    address = f"/sourceConfig/?p=npm&v=3&writeKey={collector.key}"
    allowed = collector.request("OPTIONS", address, headers=asked)
    assert allowed.status == 204
    assert allowed.headers["Access-Control-Allow-Origin"] == "*"
    assert allowed.headers["Access-Control-Allow-Headers"] == "authorization"
    assert "GET" in allowed.headers["Access-Control-Allow-Methods"]
    told = collector.get(address, Origin="https://a.example")
    assert told.headers["Access-Control-Allow-Origin"] == "*"
    assert told.json()["source"]["enabled"] is True
    assert told.json()["source"]["destinations"] == []
    assert collector.request("HEAD", "/sourceConfig/?view=ad").status == 200


def test_a_beacon_has_its_key_in_the_address_and_nothing_else_has(collector: Collector) -> None:
    def sent(path: str, key: str) -> int:
        query = urlencode({"writeKey": key})
        return collector.post(
            f"{path}?{query}", {"batch": [event()]}, key="", Content_Type="text/plain"
        ).status

    assert sent("/beacon/v1/batch", collector.key) == 200
    assert sent("/beacon/v1/batch", "") == sent("/beacon/v1/batch", "wrong") == 401
    assert sent("/v1/batch", collector.key) == 401
    assert len(collector.export()) == 1
    odd = "%FF&writeKey=%FF&" + "&".join(f"a{number}=1" for number in range(1000))
    assert collector.post(f"/beacon/v1/batch?{odd}", {"batch": [event()]}, key="").status == 401
    assert collector.key not in collector.stop()


def test_what_is_not_there_is_told_in_json_to_programs_and_as_a_page_to_people(collector: Collector) -> None:
    for method, path, status in (
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/batch/more", 404),
        ("POST", "/v1", 404),
        ("GET", "/beacon/v1/nothing", 404),
        ("GET", "/v1/batch", 405),
        ("GET", "/beacon/v1/batch", 405),
        ("POST", "/v1/projects/abc/settings", 405),
        ("POST", "/sourceConfig/", 405),
    ):
        reply = collector.request(method, path)
        assert reply.status == status, path
        assert reply.headers["Content-Type"] == "application/json", path
        assert reply.headers["Access-Control-Allow-Origin"] == "*", path
        assert set(reply.json()) == {"success", "code", "message"}, path
    assert collector.get("/nowhere").headers["Content-Type"].startswith("text/html")


def test_health_readiness_and_metrics_answer(collector: Collector) -> None:
    collector.post("/v1/batch", {"batch": [event(), event()]})
    assert collector.get("/healthz").status == collector.get("/readyz").status == 200
    meters = collector.get("/metrics").body.decode()
    assert 'rollcall_events_received_total{source="test"} 2.0' in meters
    assert "rollcall_events_stored 2.0" in meters
    for proxied in ({"X_Forwarded_For": "1.2.3.4"}, {"X_Real_IP": "1.2.3.4"}, {"Via": "1.1 cache"}):
        assert collector.get("/metrics", **proxied).status == 403
    with socket.create_connection(("127.0.0.1", collector.port), timeout=PATIENCE) as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")  # as nginx asked before 1.29.7
        assert client.recv(100).startswith(b"HTTP/1.1 403")
    for spelling in ("/metrics/", "//metrics", "/%6detrics", "/metrics%2F"):
        assert collector.get(spelling).status == 404, spelling
    assert collector.get("/nowhere").status == 403  # the page, which is closed
    assert collector.request("DELETE", "/healthz").status == 405
    assert collector.get("/v1/track").status == 405
