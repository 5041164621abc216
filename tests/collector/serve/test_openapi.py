"""The OpenAPI document and the answers agree."""

from __future__ import annotations

import re
from pathlib import Path

from collector.ingest import api
from collector.page.frame import NAVIGATION
from collector.serve.openapi import ANSWERS
from tests.collector.running import Collector, event

ROOT = Path(__file__).parents[3]


def test_the_answers_in_the_docs_are_those_of_the_document() -> None:
    page = (ROOT / "docs" / "collector.md").read_text()
    table = page.partition("| status | means |")[2].partition("\n\n")[0]
    documented = {
        status for row in table.splitlines()[2:] for status in re.findall(r"\d{3}", row.split("|")[1])
    }
    assert documented == set(ANSWERS)


def test_the_document_names_every_path_and_every_answer(collector: Collector) -> None:
    document = collector.get("/openapi.json").json()
    unlike = {"/v1/projects/{key}/settings", "/v1/bundles", "/bundle/{id}.jwe"}
    own = {
        "/healthz",
        *unlike,
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/sourceConfig",
    }
    own |= {"/releases/{source}.json", "/releases/{source}.json.minisig"}
    views = {path for path in document["paths"] if path.endswith((".json", ".csv"))} - own
    assert set(document["paths"]) == set(api.ROUTES) | api.IGNORED | own | views
    assert {f"{path}.{suffix}" for path, _ in NAVIGATION[1:] for suffix in ("json", "csv")} <= views
    for path in own - unlike:
        assert str(collector.get(path).status) in document["paths"][path]["get"]["responses"]
    described = set(document["paths"]["/v1/batch"]["post"]["responses"])
    for body in ({"batch": [event()]}, {"batch": 1}, b"{" * 9, b" " * 600_000):
        assert str(collector.post("/v1/batch", body).status) in described
